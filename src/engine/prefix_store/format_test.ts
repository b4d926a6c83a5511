import { assert, assertEquals, assertRejects } from "@std/assert";
import { Random } from "../../../scheduler/testing/random.ts";
import { decodeStretch, encodeStretch, storeKey, StretchError, type StretchFacts } from "./format.ts";

const FACTS: StretchFacts = { name: "ab".repeat(32), index: 3, blocks: [4, 2], blockBytes: [48, 16] };
const GROUPS = FACTS.blockBytes.map((size, group) =>
  Uint8Array.from({ length: size * FACTS.blocks[group] }, (_, i) => (i * 7 + group * 101) % 251)
);

const newKey = () => storeKey(crypto.getRandomValues(new Uint8Array(32)));

async function fileOf(key?: CryptoKey): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob(await encodeStretch(FACTS, GROUPS, key)).arrayBuffer());
}

Deno.test("decodeStretch() gives back what encodeStretch() wrote, encrypted or not", async () => {
  const key = await newKey();
  const plain = await fileOf(), sealed = await fileOf(key);
  assertEquals(await decodeStretch(plain, FACTS), GROUPS);
  assertEquals(await decodeStretch(sealed.slice(), FACTS, key), GROUPS);
  const first = GROUPS[0].subarray(0, 24);
  const contains = (file: Uint8Array) =>
    file.some((_, at) => first.every((byte, i) => file[at + i] === byte));
  assertEquals([contains(plain), contains(sealed)], [true, false]);
  assert((await fileOf(key)).some((byte, i) => byte !== sealed[i]), "two files have the same key");
});

Deno.test("decodeStretch() refuses any other prompt, model, key or form", async () => {
  const key = await newKey();
  const plain = await fileOf(), sealed = await fileOf(key);
  for (
    const other of [{ name: "cd".repeat(32) }, { index: 2 }, { blocks: [4, 3] }, { blockBytes: [16, 48] }, {
      blockBytes: [64],
    }]
  ) {
    await assertRejects(
      () => decodeStretch(plain, { ...FACTS, ...other }),
      StretchError,
      "another prompt or model",
    );
  }
  await assertRejects(() => decodeStretch(plain, FACTS, key), StretchError, "not encrypted");
  await assertRejects(() => decodeStretch(sealed, FACTS), StretchError, "there is no key");
  await assertRejects(
    async () => await decodeStretch(sealed, FACTS, await newKey()),
    StretchError,
    "another key",
  );
  await assertRejects(
    () => decodeStretch(new Uint8Array(), FACTS),
    StretchError,
    "no file of a prefix store",
  );
});

/** Files with a byte changed, cut off, added to, or with parts in another place. */
function* damaged(
  file: Uint8Array<ArrayBuffer>,
  count: number,
  random: Random,
): Generator<Uint8Array<ArrayBuffer>> {
  for (let i = 0; i < count; i++) {
    const copy = file.slice();
    const at = random.int(0, file.length - 1);
    switch (i % 5) {
      case 0:
        copy[at] ^= 1 << random.int(0, 7);
        yield copy;
        break;
      case 1:
        yield copy.slice(0, at);
        break;
      case 2:
        yield Uint8Array.from([...copy, ...copy.subarray(at)]);
        break;
      case 3: {
        // Two blocks change places.
        const end = file.length - 16 * 2;
        copy.copyWithin(end - 48, end - 96, end - 48);
        copy.set(file.subarray(end - 48, end), end - 96);
        copy[at] ^= random.int(0, 1);
        yield copy;
        break;
      }
      default:
        for (let k = 0; k < 32; k++) copy[(at + k) % copy.length] = random.int(0, 255);
        yield copy;
    }
  }
}

Deno.test("decodeStretch() uses none of a thousand damaged files", async () => {
  const key = await newKey();
  const random = new Random(20);
  for (const [file, opener] of [[await fileOf(), undefined], [await fileOf(key), key]] as const) {
    for (const bad of damaged(file, 500, random)) {
      await assertRejects(() => decodeStretch(bad, FACTS, opener), StretchError);
    }
  }
});
