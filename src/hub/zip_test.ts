import { assert, assertEquals, assertRejects } from "@std/assert";
import { encodeZip, type ZipInput } from "../../tests/support/zip.ts";
import { HubError } from "./error.ts";
import { ZipFile } from "./zip.ts";

const text = (length: number) => new Uint8Array(length).map((_, i) => (i * i) % 251);
const INPUTS: ZipInput[] = [
  { name: "a/stored.bin", content: text(300_000), isStored: true },
  { name: "../../etc/deflated.bin", content: text(700_000) },
  { name: "empty", content: text(0) },
];

/** Calls `test` with an archive on disk. */
async function withZip<T>(bytes: Uint8Array, test: (zip: ZipFile) => Promise<T>): Promise<T> {
  const path = await Deno.makeTempFile({ prefix: "kumi-zip-" });
  try {
    await Deno.writeFile(path, bytes);
    using zip = await ZipFile.open(path);
    return await test(zip);
  } finally {
    await Deno.remove(path);
  }
}

/** Everything in the archive. */
async function readAll(zip: ZipFile): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for (const entry of await zip.entries()) {
    const chunks = await Array.fromAsync(zip.content(entry));
    all.push(new Uint8Array(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).arrayBuffer()));
  }
  return all;
}

Deno.test("ZipFile reads stored and deflated files, with a comment and extra fields", async () => {
  await withZip(encodeZip(INPUTS, "a comment with PK\x05 in it"), async (zip) => {
    const entries = await zip.entries();
    assertEquals(
      entries.map(({ name, bytes }) => [name, bytes]),
      INPUTS.map((each) => [each.name, each.content.length]),
    );
    const contents = await readAll(zip);
    contents.forEach((content, i) => assertEquals(content, INPUTS[i].content));
  });
});

Deno.test("ZipFile hands out no more bytes than the directory states", async () => {
  for (const isStored of [true, false]) {
    for (const statedBytes of [50_000, 150_000]) {
      const zip = encodeZip([{ name: "bomb", content: text(100_000), isStored, statedBytes }]);
      await withZip(zip, async (zip) => {
        const [entry] = await zip.entries();
        let bytes = 0;
        const read = async () => {
          for await (const chunk of zip.content(entry)) bytes += chunk.length;
        };
        const error = await assertRejects(read, HubError, `has not the ${statedBytes} bytes`);
        assertEquals(error.kind, "mismatch");
        assert(bytes <= statedBytes, `${bytes}`);
      });
    }
  }
});

Deno.test("ZipFile refuses what is no archive, encrypted, or cut off anywhere", async () => {
  for (const bytes of [new Uint8Array(0), text(10), text(100_000)]) {
    await withZip(bytes, (zip) => assertRejects(() => zip.entries(), HubError, "damaged zip file"));
  }
  const encrypted = encodeZip([{ name: "a", content: text(10), flags: 1 }]);
  await withZip(encrypted, (zip) => assertRejects(() => readAll(zip), HubError, "unknown way"));
  const whole = encodeZip([{ name: "a", content: text(200) }]);
  for (let length = 0; length < whole.length; length += 7) {
    await withZip(whole.subarray(0, length), (zip) => assertRejects(() => readAll(zip), HubError));
  }
});

Deno.test("ZipFile gives the content or a HubError, whatever byte is wrong", async () => {
  const content = text(300);
  const whole = encodeZip([{ name: "a", content }]);
  let refused = 0;
  for (let at = 0; at < whole.length; at++) {
    const bytes = whole.slice();
    bytes[at] ^= 0xff;
    await withZip(bytes, async (zip) => {
      try {
        await readAll(zip);
      } catch (error) {
        if (!(error instanceof HubError)) throw error;
        refused++;
      }
    });
  }
  assert(refused > 20 && refused < whole.length, `${refused} of ${whole.length}`);
});
