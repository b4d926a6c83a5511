import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { MemorySource } from "../gguf/byte_source.ts";
import { encodeHeader } from "../gguf/encode.ts";
import { arrayEntry, scalarEntry, withEntries } from "../gguf/entries.ts";
import { parseHeader } from "../gguf/header.ts";
import { shapeEntries, shapeTensors } from "../models/random_shapes.ts";
import { modelShape } from "../models/shapes.ts";
import { randomVocab } from "../gguf/random_vocab.ts";
import { GgufError, GgufFile } from "../gguf/reader.ts";
import type { MetadataEntry } from "../gguf/value_types.ts";
import { ModelError } from "../models/error.ts";
import { TokenizerError } from "../tokenizer/error.ts";
import { type FileQuestion, judge, named, readModel } from "./model_file.ts";

const MIB = 2 ** 20;
const u32 = (key: string, value: number) => scalarEntry("u32", key, value);

/** The header of a small model; a token of its KV cache takes 1 KiB. */
function fileOf(changes: readonly MetadataEntry[] = [], format?: number): GgufFile {
  const shape = modelShape("llama-tiny");
  const tensors = shapeTensors(shape, "f16").map(({ name, type, dims }) => ({
    name,
    type: name === "blk.1.ffn_up.weight" ? format ?? type : type,
    dims: [...dims],
  }));
  const own = [...shapeEntries("llama-tiny", shape, "f16"), ...randomVocab("llama", shape.vocab)];
  const header = encodeHeader(withEntries(own, changes), tensors);
  const source = new MemorySource(header.bytes, header.fileBytes);
  return new GgufFile({ path: "tiny.gguf", source, header: parseHeader(source) });
}

const question: FileQuestion = { kvFormat: "f16", users: 1, availableBytes: 1000 * MIB };

Deno.test("judge() says how far the memory reaches, with loading's own margin", () => {
  const { runs, notes, memory } = judge(fileOf(), question);
  assertEquals([runs, notes], [true, []]);
  assertEquals([memory!.context, memory!.fits, memory!.kvBytesPerToken], [512, true, 1024]);
  assertEquals(memory!.totalBytes, memory!.weightsBytes + 512 * 1024 + memory!.marginBytes);
  const users = Math.floor((1000 * MIB - memory!.weightsBytes - memory!.marginBytes) / (512 * 1024));
  assertEquals(memory!.usersMax, users);
  const asked = (users: number, context?: number) =>
    judge(fileOf(), { ...question, users, context }).memory!.fits;
  assertEquals([asked(users), asked(users + 1), asked(1, 512), asked(1, 513)], [true, false, true, false]);
});

Deno.test("judge() tells of a context that loading would lower, and of memory that is too small", () => {
  const long = fileOf([u32("llama.context_length", 131_072)]);
  const { weightsBytes, marginBytes } = judge(long, question).memory!;
  const shortly = judge(long, { ...question, availableBytes: weightsBytes + marginBytes + 20 * MIB });
  assertEquals([shortly.memory!.context, shortly.memory!.fits], [20_480, true]);
  assertStringIncludes(shortly.notes[0], "20480 tokens, not the model's 131072");
  const none = judge(long, { ...question, availableBytes: weightsBytes });
  assertEquals([none.runs, none.memory!.fits, none.memory!.contextMax], [true, false, 0]);
});

Deno.test("judge() gives the reason for which readModel() refuses a file", () => {
  const refused: [GgufFile, typeof GgufError | typeof ModelError | typeof TokenizerError, string][] = [
    [fileOf([], 9), ModelError, 'tensor "blk.1.ffn_up.weight" has format Q8_1'],
    [fileOf([scalarEntry("string", "general.architecture", "grok")]), ModelError, 'is "grok"'],
    [
      fileOf([scalarEntry("bool", "llama.attention.causal", false)]),
      ModelError,
      "llama.attention.causal is false",
    ],
    [
      fileOf([u32("llama.pooling_type", 9)]),
      GgufError,
      "llama.pooling_type: expected u32 from 0 to 4, current value is 9",
    ],
    [fileOf([scalarEntry("string", "tokenizer.ggml.model", "rwkv")]), TokenizerError, '"rwkv"'],
    [
      fileOf([scalarEntry("bool", "tokenizer.ggml.add_sep_token", true)]),
      TokenizerError,
      "add_sep_token is true",
    ],
    [
      fileOf([arrayEntry("u8", "tokenizer.ggml.precompiled_charsmap", Uint8Array.of(1, 2))]),
      TokenizerError,
      "2 bytes",
    ],
  ];
  for (const [file, type, part] of refused) {
    const { message } = assertThrows(() => readModel(file), type, part);
    assert(message.startsWith(`${file.path}: `), message);
    const { runs, reason, memory } = judge(file, question);
    assertEquals([runs, `${file.path}: ${reason}`, memory], [false, message, null]);
  }
});

Deno.test("judge() notes a chat template that does not work, and keys that are not known", () => {
  const { runs, notes } = judge(
    fileOf([
      scalarEntry("string", "tokenizer.chat_template", "{% if %}"),
      u32("llama.mood\u001b[2J", 1),
    ]),
    question,
  );
  assertEquals([runs, notes.length], [true, 2]);
  assertStringIncludes(notes[0], '"llama.mood\\u001b[2J"');
  assertStringIncludes(notes[1], "emplate");
});

Deno.test("judge() tells of a layer that predicts, and why one is not computed", () => {
  const known = modelShape("glm4moe-tiny"), { entries = [], layers } = known;
  const shape = {
    ...known,
    layers: layers + 1,
    entries: [...entries, u32("glm4moe.nextn_predict_layers", 1)],
  };
  const verdictOf = (missing: string) => {
    const tensors = shapeTensors(shape, "f16").filter(({ name }) => !name.endsWith(missing))
      .map(({ name, type, dims }) => ({ name, type, dims: [...dims] }));
    const own = [...shapeEntries("glm", shape, "f16"), ...randomVocab("glm4moe", shape.vocab)];
    const { bytes, fileBytes } = encodeHeader(own, tensors);
    const source = new MemorySource(bytes, fileBytes);
    return judge(new GgufFile({ path: "glm.gguf", source, header: parseHeader(source) }), question);
  };
  const whole = verdictOf("none"),
    other = verdictOf("nextn.enorm.weight"),
    none = verdictOf("nextn.eh_proj.weight");
  assertStringIncludes(whole.notes[0], "layer 3 predicts the token after the next: it guesses");
  assertStringIncludes(other.notes[0], 'is not computed: tensor "blk.3.nextn.enorm.weight" is missing');
  assertEquals([whole.runs, other.runs, none.runs, none.notes], [true, true, true, []]);
  const bytes = [whole, other, none].map(({ memory }) => memory!.kvBytesPerToken);
  assertEquals([bytes[0] * 3, bytes[1]], [bytes[1] * 4, bytes[2]]);
});

Deno.test("named() puts the file's name before what is wrong with the file, once", () => {
  const error = named("m.gguf", new ModelError("bad")) as Error;
  assertEquals([error.name, error.message], ["ModelError", "m.gguf: bad"]);
  assertEquals(named("m.gguf", error), error);
  const other = new RangeError("option");
  assertEquals(named("m.gguf", other), other);
});
