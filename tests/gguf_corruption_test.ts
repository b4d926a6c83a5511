import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { MemorySource } from "../src/gguf/byte_source.ts";
import { HEADER_BUDGET_BYTES, STRING_OVERHEAD_BYTES } from "../src/gguf/cursor.ts";
import { GgufError } from "../src/gguf/error.ts";
import { parseHeader } from "../src/gguf/header.ts";
import { arrayEntry, scalarEntry } from "../src/gguf/entries.ts";
import { cpuMs } from "./support/cpu_time.ts";
import { collectGarbage, isolateBytes } from "./support/gguf_memory.ts";
import { headerFields, sampleEntries, sampleFile, sampleTensors } from "./support/gguf_sample.ts";

const U64_MAX = 2n ** 64n - 1n;

/** A broken file: its bytes, and its size where that is larger (the rest reads as zeros, as in a sparse file). */
interface Broken {
  bytes: Uint8Array;
  size?: number;
}

type Case = readonly [name: string, make: () => Uint8Array | Broken, error: string];

/** The sample with one field overwritten by an integer or by bytes. */
function set(fieldName: string, value: number | bigint | readonly number[] | string): Uint8Array {
  const file = sampleFile();
  const field = headerFields(file).find(({ name }) => name === fieldName);
  if (field === undefined) throw new Error(`no field ${fieldName}`);
  const integer = (v: bigint) =>
    Array.from({ length: field.bytes }, (_, i) => Number((v >> BigInt(8 * i)) & 255n));
  const bytes = typeof value === "string"
    ? new TextEncoder().encode(value)
    : typeof value === "object"
    ? value
    : integer(BigInt(value));
  if (bytes.length > field.bytes) throw new Error(`${fieldName} has ${field.bytes} bytes`);
  file.set(bytes, field.at);
  return file;
}

/** The sample cut before the field, `extra` bytes later. */
function cutAt(fieldName: string, extra = 0): Uint8Array {
  const file = sampleFile();
  return file.slice(0, headerFields(file).find(({ name }) => name === fieldName)!.at + extra);
}

function start(text: string): Uint8Array {
  const file = sampleFile();
  file.set(new TextEncoder().encode(text));
  return file;
}

function withAlignment(type: "u32" | "u64" | "i32", alignment: number): Uint8Array {
  const file = sampleFile([scalarEntry(type, "general.alignment", 32)]);
  const field = headerFields(file).find(({ name }) => name === "general.alignment/value")!;
  new DataView(file.buffer).setUint32(field.at, alignment, true);
  return file;
}

/** Header fields up to the first key, then `tail`, in a file of `size` bytes. */
function sparse(tensorCount: bigint, keyCount: bigint, tail: Uint8Array, size: number): Broken {
  const bytes = new Uint8Array(24 + tail.length);
  bytes.set(sampleFile().subarray(0, 8));
  new DataView(bytes.buffer).setBigUint64(8, tensorCount, true);
  new DataView(bytes.buffer).setBigUint64(16, keyCount, true);
  bytes.set(tail, 24);
  return { bytes, size };
}

/** A key "k" whose value is of `type`, followed by the u64s or u32s given as [value, bytes]. */
function key(...fields: (readonly [bigint, number])[]): Uint8Array {
  const all = [[1n, 8], [BigInt("k".charCodeAt(0)), 1], ...fields] as const;
  return Uint8Array.from(all.flatMap(([value, bytes]) => {
    return Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
  }));
}

const TIB = 2 ** 40;

/** As many empty strings as the budget allows, less what else is charged. */
const STRINGS_MAX = Math.floor(HEADER_BUDGET_BYTES / STRING_OVERHEAD_BYTES) - 200;

const CASES: readonly Case[] = [
  ["an empty file", () => new Uint8Array(0), "it has 0 bytes, and the shortest header has 24"],
  ["23 bytes", () => sampleFile().slice(0, 23), "it has 23 bytes"],
  ["another magic number", () => set("magic", 0x12345678), "starts with the bytes 78 56 34 12 instead of"],
  ["a format before GGUF", () => start("tjgg"), "one of the formats before GGUF"],
  ["a zip archive", () => start("PK\x03\x04"), "it is a zip archive"],
  ["a Git LFS pointer", () => start("version https://git-lfs"), "Git LFS pointer"],
  ["a web page", () => start("<!DOCTYPE html>"), "web page"],
  ["version 0", () => set("version", 0), "GGUF version 0 is not supported"],
  ["version 1", () => set("version", 1), "GGUF version 1 is not supported: convert the original model again"],
  ["version 4", () => set("version", 4), "GGUF version 4 is not supported: expected 2 or 3"],
  ["big-endian version 3", () => set("version", 0x03000000), "big-endian file (version 3)"],
  ["2⁶⁴ − 1 tensors", () => set("tensor count", U64_MAX), "the number of tensors is 18446744073709551615"],
  ["2⁶³ tensors", () => set("tensor count", 2n ** 63n), "room for at most"],
  ["4294967295 tensors", () => set("tensor count", 0xffffffff), "the number of tensors is 4294967295"],
  ["one tensor more than there are", () => set("tensor count", 5), "the name of tensor 4 is empty"],
  ["2⁶² keys", () => set("key count", 2n ** 62n), "the number of metadata keys is 4611686018427387904"],
  ["4294967295 keys", () => set("key count", 0xffffffff), "the number of metadata keys is 4294967295"],
  ["one key more than there are", () => set("key count", 21), "the length of the name of tensor 0 is"],
  [
    "a key of 2⁶⁴ − 1 bytes",
    () => set("key 0/length", U64_MAX),
    "the length of metadata key 0 is 18446744073709551615",
  ],
  [
    "a key longer than the file",
    () => set("key 3/length", 1 << 20),
    "the length of metadata key 3 is 1048576",
  ],
  [
    "a key of 65536 bytes",
    () => ({ bytes: set("key 0/length", 65536), size: TIB }),
    "is 65536, more than the 65535 that are allowed",
  ],
  ["an empty key", () => sampleFile([scalarEntry("u8", "", 1)]), "metadata key 0 is empty"],
  ["a key that is not UTF-8", () => set("key 2/text", [0xff]), "metadata key 2 is not valid UTF-8"],
  ["a key that appears twice", () => set("key 3/text", "test.u8"), 'the key "test.u8" appears twice'],
  ["value type 13", () => set("test.u8/type", 13), 'the type of "test.u8" is 13, which is unknown'],
  ["value type 2³² − 1", () => set("test.u8/type", 0xffffffff), "is 4294967295, which is unknown"],
  [
    "a string of 2⁶⁴ − 1 bytes",
    () => set("test.string/length", U64_MAX),
    'the length of "test.string" is 1844',
  ],
  ["a string longer than the file", () => set("test.string/length", 99999), "room for at most"],
  [
    "a string that is not UTF-8",
    () => set("test.string/text", [0xc3, 0x28]),
    '"test.string" is not valid UTF-8',
  ],
  ["a string with a surrogate", () => set("test.string/text", [0xed, 0xa0, 0x80]), "not valid UTF-8"],
  ["a bool of 2", () => set("test.bool/value", 2), '"test.bool" is a bool with the value 2: expected 0 or 1'],
  [
    "an array of unknown elements",
    () => set("test.i32s/element type", 99),
    'the element type of "test.i32s" is 99',
  ],
  [
    "an array of arrays",
    () => set("test.i32s/element type", 9),
    "is an array of arrays, which is not supported",
  ],
  [
    "an array of 2⁶⁴ − 1 elements",
    () => set("test.f32s/count", U64_MAX),
    'the length of "test.f32s" is 1844',
  ],
  ["an array whose size wraps", () => set("test.u64s/count", 2n ** 61n), 'the length of "test.u64s" is 2305'],
  ["an array longer than the file", () => set("test.u64s/count", 1000), "room for at most"],
  [
    "a string array longer than the file",
    () => set("test.strings/count", 2n ** 32n),
    'the length of "test.strings"',
  ],
  [
    "an element of 2⁶³ bytes",
    () => set("test.strings[1]/length", 2n ** 63n),
    'the length of "test.strings"[1] is 9223',
  ],
  [
    "an element that is not UTF-8",
    () => set("test.strings[5]/text", [0x80]),
    '"test.strings"[5] is not valid UTF-8',
  ],
  ["a character over two elements", () => halves(), '"test.strings"[0] is not valid UTF-8'],
  [
    "a bool array with 7",
    () => set("test.bools/values", [1, 7]),
    '"test.bools"[1] is a bool with the value 7',
  ],
  ["alignment 0", () => withAlignment("u32", 0), "current value is 0"],
  ["alignment 4", () => withAlignment("u32", 4), "a power of two from 8 to 65536, current value is 4"],
  ["alignment 24", () => withAlignment("u32", 24), "current value is 24"],
  ["alignment 131072", () => withAlignment("u32", 131072), "current value is 131072"],
  ["alignment 2³¹", () => withAlignment("u32", 2 ** 31), "current value is 2147483648"],
  ["alignment of type u64", () => withAlignment("u64", 32), "must be a u32, and it is of type u64"],
  ["a tensor name of 65 bytes", () => longName(), "is 65, more than the 64 that are allowed"],
  [
    "a tensor name of 2⁶⁴ − 1 bytes",
    () => set("tensor 1/name/length", U64_MAX),
    "the name of tensor 1 is 1844",
  ],
  [
    "a tensor without a name",
    () => sampleFile([], [{ name: "", type: 0, dims: [4] }]),
    "name of tensor 0 is empty",
  ],
  [
    "a tensor name that is not UTF-8",
    () => set("tensor 0/name/text", [0xfe]),
    "name of tensor 0 is not valid UTF-8",
  ],
  ["a tensor name that appears twice", () => twice(), 'the tensor "aa" appears twice'],
  ["no dimensions", () => set("tensor 1/dims", 0), "has 0 dimensions: expected 1 to 4"],
  ["five dimensions", () => set("tensor 1/dims", 5), "has 5 dimensions: expected 1 to 4"],
  ["2³² − 1 dimensions", () => set("tensor 1/dims", 0xffffffff), "has 4294967295 dimensions"],
  ["a dimension of 0", () => set("tensor 1/dim 1", 0), 'dimension 1 of tensor "blk.0.attn_q.weight" is 0'],
  ["a dimension of 2⁶³", () => set("tensor 1/dim 0", 2n ** 63n), "is 9223372036854775808"],
  ["dimensions whose product overflows", () => set("tensor 3/dim 3", 2n ** 52n), "overflows"],
  ["a size that overflows", () => set("tensor 2/dim 0", 2n ** 52n), "overflows"],
  ["a type that was taken back", () => set("tensor 1/type", 4), "type 4 (Q4_2) is no longer in use"],
  ["an unknown tensor type", () => set("tensor 1/type", 999), "unknown type id 999"],
  [
    "a row of part of a block",
    () => set("tensor 0/dim 0", 255),
    "a row of 255 elements is not a multiple of Q4_K",
  ],
  [
    "an offset that is not aligned",
    () => set("tensor 1/offset", 4),
    "offset 4 is not a multiple of the alignment 64",
  ],
  ["an offset behind the end", () => set("tensor 3/offset", 1 << 20), "lies outside the file"],
  ["an offset that wraps", () => set("tensor 3/offset", 2n ** 64n - 64n), "lies outside the file"],
  [
    "two tensors at one place",
    () => set("tensor 1/offset", 0),
    '"token_embd.weight" and "blk.0.attn_q.weight" overlap',
  ],
  ["two tensors that overlap", () => set("tensor 1/offset", 64), "overlap"],
  ["a tensor larger than the file", () => set("tensor 0/dim 1", 1 << 20), "the file may be truncated"],
  ["data without its end", () => sampleFile().slice(0, -64), "the file may be truncated"],
  ["a file that ends in a key", () => cutAt("key 19/text", 3), "the length of metadata key 19"],
  ["a file that ends in a number", () => cutAt("test.f64/value", 7), 'the file ends inside "test.f64"'],
  ["a file that ends in an array", () => cutAt("test.strings[3]/length", 2), '"test.strings'],
  [
    "a file that ends in a tensor",
    () => cutAt("tensor 3/dim 2", 4),
    "the file ends inside dimension 2 of tensor",
  ],
  [
    "a file that ends in an offset",
    () => cutAt("tensor 3/offset", 0),
    "the file ends inside the offset of tensor",
  ],
  [
    "65537 keys",
    () => sparse(0n, 65537n, new Uint8Array(0), TIB),
    "65537, more than the 65536 that are allowed",
  ],
  [
    "65537 tensors",
    () => sparse(65537n, 0n, new Uint8Array(0), TIB),
    "65537, more than the 65536 that are allowed",
  ],
  [
    "2³⁶ empty strings in a sparse file",
    () => sparse(0n, 1n, key([9n, 4], [8n, 4], [2n ** 36n, 8]), TIB),
    "bytes of memory, more than a header may take",
  ],
  [
    "an error behind the largest array in a sparse file",
    () => sparse(0n, 2n, key([9n, 4], [8n, 4], [BigInt(STRINGS_MAX), 8]), TIB),
    "metadata key 1 is empty",
  ],
  [
    "numbers of 57 MB and then an error in a sparse file",
    () => sparse(0n, 2n, key([9n, 4], [0n, 4], [57_000_000n, 8]), TIB),
    "metadata key 1 is empty",
  ],
  [
    "bools of 50 MB and then an error in a sparse file",
    () => sparse(0n, 2n, key([9n, 4], [7n, 4], [6_000_000n, 8]), TIB),
    "metadata key 1 is empty",
  ],
  [
    "a string of 18 MB and then an error in a sparse file",
    () => sparse(0n, 2n, key([8n, 4], [18_000_000n, 8]), TIB),
    "metadata key 1 is empty",
  ],
  [
    "2³⁸ numbers in a sparse file",
    () => sparse(0n, 1n, key([9n, 4], [6n, 4], [2n ** 37n, 8]), TIB),
    "bytes of memory, more than a header may take",
  ],
  [
    "2³⁹ bools in a sparse file",
    () => sparse(0n, 1n, key([9n, 4], [7n, 4], [2n ** 39n, 8]), TIB),
    "bytes of memory, more than a header may take",
  ],
  [
    "a string of 512 GB in a sparse file",
    () => sparse(0n, 1n, key([8n, 4], [2n ** 39n, 8]), TIB),
    "bytes of memory, more than a header may take",
  ],
  [
    "a long string in an array in a sparse file",
    () => sparse(0n, 1n, key([9n, 4], [8n, 4], [2n, 8], [2n ** 39n, 8]), TIB),
    "bytes of memory, more than a header may take",
  ],
];

function halves(): Uint8Array {
  const file = sampleFile([arrayEntry("string", "test.strings", ["ab", "cd"])]);
  const fields = headerFields(file);
  const at = (name: string) => fields.find((field) => field.name === name)!.at;
  file[at("test.strings[0]/text") + 1] = 0xc3;
  file[at("test.strings[1]/text")] = 0xa9;
  return file;
}

function longName(): Uint8Array {
  return sampleFile(sampleEntries, [{ name: "n".repeat(65), type: 0, dims: [4] }]);
}

function twice(): Uint8Array {
  const tensors = ["aa", "ab"].map((name) => ({ name, type: 0, dims: [4] }));
  const file = sampleFile([], tensors);
  const field = headerFields(file).find(({ name }) => name === "tensor 1/name/text")!;
  file[field.at + 1] = "a".charCodeAt(0);
  return file;
}

Deno.test("parseHeader() accepts the sample that the corruptions start from", () => {
  const header = parseHeader(new MemorySource(sampleFile()));
  assertEquals(header.entries, sampleEntries);
  assertEquals([...header.tensors.keys()], sampleTensors.map(({ name }) => name));
});

Deno.test("parseHeader() refuses every corruption with its own sentence, fast and in little memory", async (t) => {
  assert(CASES.length >= 40);
  for (const [name, make, expected] of CASES) {
    await t.step(name, () => {
      const made = make();
      const { bytes, size = bytes.length } = made instanceof Uint8Array ? { bytes: made } : made;
      // Slow, and needed only where a file could make the reader allocate much.
      if (size > bytes.length) collectGarbage();
      const bytesBefore = isolateBytes();
      const before = cpuMs();
      const error = assertThrows(() => parseHeader(new MemorySource(bytes, size)), GgufError);
      const elapsedMs = cpuMs() - before;
      const grown = isolateBytes() - bytesBefore;
      assertStringIncludes(error.message, expected);
      assert(elapsedMs < 2000, `took ${elapsedMs} ms`);
      assert(grown < 64e6, `allocated ${grown} bytes`);
    });
  }
});

Deno.test("parseHeader() keeps to its budget in the largest header that it accepts", () => {
  const { bytes, size } = sparse(0n, 1n, key([9n, 4], [8n, 4], [BigInt(STRINGS_MAX), 8]), TIB);
  collectGarbage();
  const before = isolateBytes();
  const header = parseHeader(new MemorySource(bytes, size));
  assert(isolateBytes() - before < 64e6);
  assertEquals((header.entries[0].value as string[]).length, STRINGS_MAX);
  assert(header.chargedBytes <= HEADER_BUDGET_BYTES);
});
