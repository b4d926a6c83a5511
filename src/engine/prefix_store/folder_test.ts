import { assertEquals, assertRejects } from "@std/assert";
import { StoreFolder } from "./folder.ts";

const nameOf = (n: number) => n.toString(16).padStart(64, "0");
const bytes = (length: number, value = 1) => [new Uint8Array(length).fill(value)];

async function inFolder(test: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "kumi-test-" });
  try {
    await test(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

const entries = (path: string) => Array.from(Deno.readDirSync(path), ({ name }) => name).sort();

Deno.test("StoreFolder finds after a restart what was written, and leaves others' files alone", () =>
  inFolder(async (path) => {
    const folder = new StoreFolder(`${path}/new`, 1000);
    await folder.open();
    assertEquals(await folder.write(nameOf(1), 0, [...bytes(10, 1), ...bytes(5, 2)]), true);
    await Deno.writeTextFile(`${path}/new/notes.txt`, "mine");
    const again = new StoreFolder(`${path}/new`, 1000);
    await again.open();
    assertEquals([again.files, again.bytes, again.has(nameOf(1)), again.has(nameOf(2))], [
      1,
      15,
      true,
      false,
    ]);
    assertEquals([...(await again.read(nameOf(1)))!], [...Array(10).fill(1), ...Array(5).fill(2)]);
    assertEquals(await again.read(nameOf(2)), null);
    assertEquals(entries(`${path}/new`), [`${nameOf(1)}.0.kumikv`, "notes.txt"]);
    assertEquals((await Deno.stat(`${path}/new/${nameOf(1)}.0.kumikv`)).mode! & 0o777, 0o600);
  }));

Deno.test("StoreFolder keeps to its budget, whatever is longest unused goes", () =>
  inFolder(async (path) => {
    let now = 1e12;
    const folder = new StoreFolder(path, 30, () => now++);
    await folder.open();
    for (const n of [1, 2, 3]) await folder.write(nameOf(n), 0, bytes(10));
    await folder.use([nameOf(1)]);
    await folder.write(nameOf(4), 0, bytes(10));
    assertEquals([1, 2, 3, 4].map((n) => folder.has(nameOf(n))), [true, false, true, true]);
    assertEquals(entries(path).length, 3);
    assertEquals(await folder.write(nameOf(5), 0, bytes(31)), false);
    assertEquals(folder.bytes, 30);
    // Another program sees what was used.
    const other = new StoreFolder(path, 20, () => now++);
    await other.open();
    await other.write(nameOf(6), 0, bytes(10));
    assertEquals([1, 3, 4, 6].map((n) => other.has(nameOf(n))), [false, false, true, true]);
  }));

Deno.test("two StoreFolders on one folder do without what the other has removed", () =>
  inFolder(async (path) => {
    const one = new StoreFolder(path, 100), other = new StoreFolder(path, 100);
    await Promise.all([one.open(), other.open()]);
    await Promise.all([one.write(nameOf(1), 0, bytes(10, 1)), other.write(nameOf(1), 0, bytes(10, 1))]);
    assertEquals(entries(path), [`${nameOf(1)}.0.kumikv`]);
    await Deno.remove(`${path}/${nameOf(1)}.0.kumikv`);
    assertEquals([await one.read(nameOf(1)), one.has(nameOf(1))], [null, false]);
    await other.use([nameOf(1)]);
  }));

Deno.test("StoreFolder leaves nothing of a file that cannot be written, and removes what others left", () =>
  inFolder(async (path) => {
    const old = `.${crypto.randomUUID()}.part`, young = `.${crypto.randomUUID()}.part`;
    for (const name of [old, young]) await Deno.writeTextFile(`${path}/${name}`, "part");
    await Deno.utime(`${path}/${old}`, new Date(1e12), new Date(1e12));
    const folder = new StoreFolder(path, 100);
    await folder.open();
    assertEquals(entries(path), [young]);
    // A folder stands where the file should be.
    await Deno.mkdir(`${path}/${nameOf(1)}.0.kumikv`);
    await assertRejects(() => folder.write(nameOf(1), 0, bytes(10)));
    assertEquals([entries(path), folder.files], [[`${nameOf(1)}.0.kumikv`, young].sort(), 0]);
    await Deno.writeTextFile(`${path}/file`, "");
    await assertRejects(() => new StoreFolder(`${path}/file`, 100).open());
  }));
