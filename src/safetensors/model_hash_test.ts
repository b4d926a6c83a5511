import { assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { GgufError } from "../gguf/error.ts";
import { ModelFiles } from "./model_hash.ts";

const sha256 = (text: string | Uint8Array) => createHash("sha256").update(text).digest("hex");

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "kumi-test-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("ModelFiles hashes a single file as sha256sum does", () =>
  inFolder(async (folder) => {
    const bytes = Uint8Array.from({ length: (1 << 20) + 17 }, (_, i) => i * 31 % 251);
    await Deno.writeFile(`${folder}/a.gguf`, bytes);
    const files = await ModelFiles.look(`${folder}/a.gguf`);
    assertEquals(await files.sha256(), sha256(bytes));
    bytes[1 << 20] ^= 1;
    await Deno.writeFile(`${folder}/b.gguf`, bytes);
    assertEquals(await (await ModelFiles.look(`${folder}/b.gguf`)).sha256(), sha256(bytes));
  }));

Deno.test("ModelFiles hashes all parts of a split model, and what makes a folder's model", () =>
  inFolder(async (folder) => {
    const [one, two] = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"];
    await Deno.writeTextFile(`${folder}/${one}`, "one");
    await Deno.writeTextFile(`${folder}/${two}`, "two");
    const list = sha256(`${sha256("one")}  ${one}\n${sha256("two")}  ${two}\n`);
    for (const name of [one, two]) {
      assertEquals(await (await ModelFiles.look(`${folder}/${name}`)).sha256(), list);
    }
    const names = ["config.json", "model.safetensors", "tokenizer.json"];
    for (const name of [...names, "README.md"]) await Deno.writeTextFile(`${folder}/${name}`, name);
    assertEquals(
      await (await ModelFiles.look(folder)).sha256(),
      sha256(names.map((name) => `${sha256(name)}  ${name}\n`).join("")),
    );
  }));

Deno.test("ModelFiles does not hash a file that has changed since it was loaded", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a.gguf`;
    await Deno.writeTextFile(path, "before");
    const files = await ModelFiles.look(path);
    await Deno.writeTextFile(path, "behind");
    await Deno.utime(path, new Date(1e12), new Date(1e12));
    await assertRejects(() => files.sha256(), GgufError, "has changed since it was loaded");
    await Deno.remove(path);
    await assertRejects(() => files.sha256(), GgufError, "has changed");
    await assertRejects(() => ModelFiles.look(path), Deno.errors.NotFound);
  }));

Deno.test("ModelFiles asks a store for the hash of a file that has not changed, and tells it new ones", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a.gguf`;
    await Deno.writeTextFile(path, "text");
    const kept = new Map<string, string>();
    assertEquals(await (await ModelFiles.look(path)).sha256({ store: kept }), sha256("text"));
    assertEquals([...kept.values()], [sha256("text")]);
    // What the store says counts: another process computed it.
    await Deno.utime(path, new Date(1e12), new Date(1e12));
    const told = { get: () => "told", set: () => {} };
    assertEquals(await (await ModelFiles.look(path)).sha256({ store: told }), "told");
  }));
