import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MemorySource } from "../src/gguf/byte_source.ts";
import { parseHeader } from "../src/gguf/header.ts";
import { GgufError, openGguf } from "../src/gguf/mod.ts";
import { sampleEntries, sampleFile, sampleTensors, sharedData } from "./support/gguf_sample.ts";
import { testWithPrograms } from "./support/optional.ts";

async function inTemporaryFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await action(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("openGguf() gives metadata, tensors, and their bytes", () =>
  inTemporaryFolder(async (folder) => {
    const path = `${folder}/sample.gguf`;
    await Deno.writeFile(path, sampleFile());
    using file = await openGguf(path);
    assertEquals([file.version, file.alignment, file.fileBytes], [3, 64, sampleFile().length]);
    assertEquals(file.entries, sampleEntries);
    assertEquals(file.metadata.get("test.strings"), ["", "a", "é", "組", "🙂", "plain words here"]);
    assertEquals(
      [...file.tensors.values()].map(({ name, type, dims }) => ({ name, type, dims })),
      sampleTensors,
    );
    const bytes = new Uint8Array(8);
    file.readInto("blk.0.attn_q.weight", 264, bytes);
    assertEquals([...bytes], [9, 10, 11, 12, 13, 14, 15, 16]);
  }));

Deno.test("digest() tells files with other headers or other weights apart", () =>
  inTemporaryFolder(async (folder) => {
    const digestOf = async (change: (bytes: Uint8Array, dataOffset: number) => void) => {
      const bytes = sampleFile();
      const path = `${folder}/digest.gguf`;
      change(bytes, parseHeader(new MemorySource(bytes)).dataOffset);
      await Deno.writeFile(path, bytes);
      using file = await openGguf(path);
      return await file.digest();
    };
    const same = await digestOf(() => {});
    assertEquals(same.length, 64);
    assertEquals(await digestOf(() => {}), same);
    assert(await digestOf((bytes, dataOffset) => bytes[dataOffset]++) !== same);
    assert(await digestOf((bytes) => bytes[bytes.length - 1]++) !== same);
    assert(await digestOf((bytes) => bytes[4] = 2) !== same);
  }));

Deno.test("openGguf() reads version 2 as version 3", () =>
  inTemporaryFolder(async (folder) => {
    const bytes = sampleFile();
    bytes[4] = 2;
    await Deno.writeFile(`${folder}/v2.gguf`, bytes);
    using file = await openGguf(`${folder}/v2.gguf`);
    assertEquals(file.version, 2);
    assertEquals(file.entries, sampleEntries);
  }));

Deno.test("readInto() throws for ranges outside the tensor, unknown tensors, and a closed file", () =>
  inTemporaryFolder(async (folder) => {
    const path = `${folder}/sample.gguf`;
    await Deno.writeFile(path, sampleFile());
    const file = await openGguf(path);
    const name = "blk.0.attn_norm.weight";
    assertThrows(() => file.readInto(name, 16, new Uint8Array(5)), RangeError, "of 5 bytes at 16");
    assertThrows(() => file.readInto(name, -1, new Uint8Array(1)), RangeError);
    assertThrows(() => file.readInto(name, 0.5, new Uint8Array(1)), RangeError);
    assertThrows(() => file.readInto("output.weight", 0, new Uint8Array(1)), GgufError, "no tensor");
    file.close();
    file.close();
    assertThrows(() => file.readInto(name, 0, new Uint8Array(1)), GgufError, "the file is closed");
  }));

Deno.test("readInto() throws when the file has become shorter", () =>
  inTemporaryFolder(async (folder) => {
    const path = `${folder}/sample.gguf`;
    await Deno.writeFile(path, sampleFile());
    using file = await openGguf(path);
    await Deno.truncate(path, file.tensor("token_embd.weight").offset + 10);
    const target = new Uint8Array(20);
    assertThrows(() => file.readInto("token_embd.weight", 0, target), GgufError, "is shorter now");
  }));

Deno.test("openGguf() refuses what is not a regular file, by name, without waiting", () =>
  inTemporaryFolder(async (folder) => {
    await assertRejects(() => openGguf(folder), GgufError, "a regular file, and this is a directory");
    await assertRejects(() => openGguf("/dev/random"), GgufError, "a regular file, and this is a device");
    await assertRejects(() => openGguf(`${folder}/none.gguf`), GgufError, "there is no such file");
  }));

testWithPrograms(
  "openGguf() refuses a FIFO without waiting for a writer",
  ["mkfifo"],
  ([mkfifo]) =>
    inTemporaryFolder(async (folder) => {
      const made = await new Deno.Command(mkfifo, { args: [`${folder}/fifo`] }).output();
      assert(made.success);
      await assertRejects(() => openGguf(`${folder}/fifo`), GgufError, "a regular file, and this is a FIFO");
    }),
);

Deno.test("openGguf() names the file in its errors, and closes it", () =>
  inTemporaryFolder(async (folder) => {
    await Deno.writeFile(`${folder}/bad.gguf`, sampleFile().slice(0, 400));
    await assertRejects(() => openGguf(`${folder}/bad.gguf`), GgufError, `${folder}/bad.gguf: `);
  }));

Deno.test("openGguf() rejects with the signal's reason", () =>
  inTemporaryFolder(async (folder) => {
    await Deno.writeFile(`${folder}/sample.gguf`, sampleFile());
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await assertRejects(() => openGguf(`${folder}/sample.gguf`, { signal }), Error, "enough");
  }));

const shared = sharedData();

Deno.test({
  name: "openGguf() reads a vocabulary of 128k tokens (needs ../shared/data)",
  ignore: shared === null,
  async fn() {
    let progressCalls = 0;
    using file = await openGguf(`${shared}vocab/ggml-vocab-llama-bpe.gguf`, {
      progress: () => progressCalls++,
    });
    const tokens = file.get.strings("tokenizer.ggml.tokens");
    const merges = file.get.strings("tokenizer.ggml.merges");
    assertEquals([tokens.length, merges.length], [128256, 280147]);
    assertEquals([tokens[0], tokens[128000], merges[0]], ["!", "<|begin_of_text|>", "Ġ Ġ"]);
    assert(progressCalls >= 1);
  },
});

Deno.test({
  name: "openGguf() decodes a vocabulary as one decoder call for each string would (needs ../shared/data)",
  ignore: shared === null,
  async fn() {
    for (const name of ["llama-bpe", "qwen2", "llama-spm", "gpt-2", "phi-3"]) {
      const path = `${shared}vocab/ggml-vocab-${name}.gguf`;
      using file = await openGguf(path);
      assertEquals(
        file.get.strings("tokenizer.ggml.tokens"),
        slowStrings(path, "tokenizer.ggml.tokens"),
        name,
      );
    }
  },
});

/** The string array behind `key`, found by its bytes and decoded one by one. */
function slowStrings(path: string, key: string): string[] {
  const bytes = Deno.readFileSync(path);
  const view = new DataView(bytes.buffer);
  const keyBytes = new TextEncoder().encode(key);
  let at = bytes.findIndex((_, i) => keyBytes.every((byte, k) => bytes[i + k] === byte)) + keyBytes.length +
    8;
  const out: string[] = [];
  for (let left = Number(view.getBigUint64(at, true)), next = (at += 8); left > 0; left--) {
    const length = Number(view.getBigUint64(next, true));
    out.push(
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(next + 8, next + 8 + length)),
    );
    next += 8 + length;
  }
  return out;
}

Deno.test({
  name: "openGguf() reads stories260K version 3 and refuses version 1 by name (needs ../shared/data)",
  ignore: shared === null,
  async fn() {
    using file = await openGguf(`${shared}stories260K/stories260K-f32.v3.gguf`);
    assertEquals(file.tensors.size, 48);
    assertEquals(file.get.u32("llama.block_count"), 5);
    const v1 = () => openGguf(`${shared}stories260K/stories260K-f32.v1.gguf`);
    await assertRejects(v1, GgufError, "GGUF version 1 is not supported: convert the original model again");
  },
});
