import { Cursor } from "./cursor.ts";
import type { ByteSource } from "./byte_source.ts";
import { alignUp, GgufError, quote } from "./error.ts";
import { tensorBytes, tensorType } from "./tensor_types.ts";
import type { TextArray } from "./text_array.ts";
import {
  isNumericType,
  type MetadataArray,
  type MetadataEntry,
  type MetadataValue,
  NUMERIC_ARRAY,
  VALUE_BYTES_MIN,
  type ValueTypeName,
  valueTypeName,
} from "./value_types.ts";

// "GGUF" as the u32 that its four bytes make in little-endian order.
const MAGIC = 0x46554747;
const KEY_BYTES_MAX = 65535;
const TENSOR_NAME_BYTES_MAX = 64;
const DIMS_MAX = 4;
const ENTRIES_MAX = 65536;
const TENSORS_MAX = 65536;
const ALIGNMENT_DEFAULT = 32;
const ALIGNMENT_MIN = 8;
const ALIGNMENT_MAX = 65536;
// Least bytes of a key with its value (length, one character, type, one byte) and of a tensor's description
// (length, one character, number of dimensions, one dimension, type, offset).
const ENTRY_BYTES_MIN = 8 + 1 + 4 + 1;
const TENSOR_BYTES_MIN = 8 + 1 + 4 + 8 + 4 + 8;
// What one key or tensor costs in memory beside its strings and arrays, rounded up.
const ENTRY_OVERHEAD_BYTES = 256;
const TENSOR_OVERHEAD_BYTES = 512;

/** Where a tensor lies in a file, and its shape. */
export interface TensorInfo {
  readonly name: string;
  /** Tensor type id, see {@linkcode tensorType}. */
  readonly type: number;
  /** Elements per dimension, fastest first: `[k, rows]` for a matrix. */
  readonly dims: readonly number[];
  /** Absolute position of its first byte in the file. */
  readonly offset: number;
  /** Size in bytes. */
  readonly bytes: number;
}

/** All that stands before the tensor data. */
export interface GgufHeader {
  readonly version: 2 | 3;
  /** Tensor data alignment in bytes. */
  readonly alignment: number;
  readonly entries: readonly MetadataEntry[];
  /** Those of the entries that are arrays of strings, as bytes, by key. */
  readonly texts: ReadonlyMap<string, TextArray>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Absolute position of the tensor data. */
  readonly dataOffset: number;
  /** Bytes that the parser charged to its memory budget. */
  readonly chargedBytes: number;
}

/** A tensor as described in the file, before its place has been checked. */
interface Description {
  readonly name: string;
  readonly type: number;
  readonly dims: readonly number[];
  readonly relativeOffset: bigint;
  readonly bytes: number;
}

/**
 * Parses and checks a GGUF header (versions 2 and 3, little-endian). Nothing in the file is trusted.
 *
 * A generator that yields the position in bytes after each key and tensor, so that a caller may pause or stop; its
 * return value is the header. Throws {@linkcode GgufError}.
 * Source: the GGUF specification in ggml's documentation.
 */
export function* headerSteps(source: ByteSource): Generator<number, GgufHeader> {
  const cursor = new Cursor(source);
  const version = readVersion(cursor, source);
  const tensorCount = cursor.count(TENSOR_BYTES_MIN, "the number of tensors");
  const entryCount = cursor.count(ENTRY_BYTES_MIN, "the number of metadata keys");
  assertAtMost(tensorCount, TENSORS_MAX, "the number of tensors");
  assertAtMost(entryCount, ENTRIES_MAX, "the number of metadata keys");

  const entries = new Map<string, MetadataEntry>();
  const texts = new Map<string, TextArray>();
  for (let i = 0; i < entryCount; i++) {
    const entry = readEntry(cursor, i, texts);
    if (entries.has(entry.key)) throw new GgufError(`the key ${quote(entry.key)} appears twice`);
    entries.set(entry.key, entry);
    yield cursor.position;
  }
  const alignment = readAlignment(entries.get("general.alignment"));

  const descriptions = new Map<string, Description>();
  for (let i = 0; i < tensorCount; i++) {
    const description = readDescription(cursor, i);
    if (descriptions.has(description.name)) {
      throw new GgufError(`the tensor ${quote(description.name)} appears twice`);
    }
    descriptions.set(description.name, description);
    yield cursor.position;
  }
  const dataOffset = alignUp(cursor.position, alignment);
  const tensors = placeTensors([...descriptions.values()], dataOffset, alignment, source.bytes);
  const chargedBytes = cursor.chargedBytes;
  return { version, alignment, entries: [...entries.values()], texts, tensors, dataOffset, chargedBytes };
}

/** {@linkcode headerSteps} in one go. */
export function parseHeader(source: ByteSource): GgufHeader {
  const steps = headerSteps(source);
  while (true) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

function readVersion(cursor: Cursor, source: ByteSource): 2 | 3 {
  if (source.bytes < 24) {
    throw new GgufError(
      `this is not a GGUF file: it has ${source.bytes} bytes, and the shortest header has 24`,
    );
  }
  const magic = cursor.u32("the magic number");
  if (magic !== MAGIC) throw new GgufError(`this is not a GGUF file: ${describeMagic(magic)}`);
  const version = cursor.u32("the version");
  if (version === 2 || version === 3) return version;
  if (version === 1) {
    throw new GgufError(
      "GGUF version 1 is not supported: convert the original model again with a current converter, which writes version 3",
    );
  }
  if (version !== 0 && (version & 0xffff) === 0) {
    const swapped = new DataView(new ArrayBuffer(4));
    swapped.setUint32(0, version, true);
    throw new GgufError(
      `this is a big-endian file (version ${swapped.getUint32(0)}), which is not supported: ` +
        "convert the original model again for little-endian machines",
    );
  }
  throw new GgufError(`GGUF version ${version} is not supported: expected 2 or 3`);
}

function describeMagic(magic: number): string {
  const bytes = [0, 8, 16, 24].map((shift) => (magic >>> shift) & 0xff);
  const text = String.fromCharCode(...bytes);
  if (["lmgg", "tjgg", "fmgg", "algg"].includes(text)) {
    return "it is of one of the formats before GGUF; convert it again";
  }
  if (text.startsWith("PK")) {
    return "it is a zip archive, perhaps a PyTorch checkpoint; convert it to GGUF first";
  }
  if (text === "vers") return "it looks like a Git LFS pointer; fetch the file itself, with git lfs pull";
  if (/^\s*<[!hH]/.test(text)) return "it looks like a web page that was saved in the model's place";
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `it starts with the bytes ${hex} instead of 47 47 55 46`;
}

function assertAtMost(value: number, max: number, what: string): void {
  if (value > max) throw new GgufError(`${what} is ${value}, more than the ${max} that are allowed`);
}

/** Adds to `texts` what of them it reads. */
function readEntry(cursor: Cursor, index: number, texts: Map<string, TextArray>): MetadataEntry {
  cursor.charge(ENTRY_OVERHEAD_BYTES, "the metadata");
  const key = cursor.string(`metadata key ${index}`, KEY_BYTES_MAX);
  if (key === "") throw new GgufError(`metadata key ${index} is empty`);
  const shown = quote(key);
  const type = readValueType(cursor, `the type of ${shown}`);
  if (type !== "array") return { key, type, value: readScalar(cursor, type, shown) };
  const elementType = readValueType(cursor, `the element type of ${shown}`);
  if (elementType === "array") throw new GgufError(`${shown} is an array of arrays, which is not supported`);
  const count = cursor.count(VALUE_BYTES_MIN[elementType], `the length of ${shown}`);
  if (elementType !== "string") {
    return { key, type, elementType, value: readArray(cursor, elementType, count, shown) };
  }
  const all = cursor.texts(count, shown);
  texts.set(key, all);
  return {
    key,
    type,
    elementType,
    get value() {
      return all.strings();
    },
  };
}

function readValueType(cursor: Cursor, what: string): ValueTypeName {
  const id = cursor.u32(what);
  const name = valueTypeName(id);
  if (name === undefined) throw new GgufError(`${what} is ${id}, which is unknown`);
  return name;
}

function readScalar(cursor: Cursor, type: Exclude<ValueTypeName, "array">, what: string): MetadataValue {
  switch (type) {
    case "string":
      return cursor.string(what);
    case "bool":
      return toBool(cursor.u8(what), what);
    case "u64":
    case "i64": {
      const value = cursor[type](what);
      const number = Number(value);
      return Number.isSafeInteger(number) ? number : value;
    }
    default:
      return cursor[type](what);
  }
}

function toBool(byte: number, what: string): boolean {
  if (byte > 1) throw new GgufError(`${what} is a bool with the value ${byte}: expected 0 or 1`);
  return byte === 1;
}

function readArray(
  cursor: Cursor,
  elementType: Exclude<ValueTypeName, "array" | "string">,
  count: number,
  what: string,
): MetadataArray {
  if (isNumericType(elementType)) {
    const Constructor = NUMERIC_ARRAY[elementType];
    cursor.charge(count * Constructor.BYTES_PER_ELEMENT, what);
    const values = new Constructor(count);
    // The file is little-endian, and so is every machine that Deno runs on.
    cursor.bytesInto(new Uint8Array(values.buffer), what);
    return values;
  }
  cursor.charge(count * 9, what);
  const bytes = new Uint8Array(count);
  cursor.bytesInto(bytes, what);
  const wrong = bytes.findIndex((byte) => byte > 1);
  if (wrong >= 0) toBool(bytes[wrong], `${what}[${wrong}]`);
  // Array.from() over an iterator would grow by doubling, to several times the size that was charged.
  const values = new Array<boolean>(count);
  for (let i = 0; i < count; i++) values[i] = bytes[i] === 1;
  return values;
}

function readAlignment(entry: MetadataEntry | undefined): number {
  if (entry === undefined) return ALIGNMENT_DEFAULT;
  const { type, value } = entry;
  if (type !== "u32") throw new GgufError(`general.alignment must be a u32, and it is of type ${type}`);
  const alignment = value as number;
  const isPower = alignment > 0 && (alignment & (alignment - 1)) === 0;
  if (!isPower || alignment < ALIGNMENT_MIN || alignment > ALIGNMENT_MAX) {
    throw new GgufError(
      `general.alignment must be a power of two from ${ALIGNMENT_MIN} to ${ALIGNMENT_MAX}, current value is ${alignment}`,
    );
  }
  return alignment;
}

function readDescription(cursor: Cursor, index: number): Description {
  cursor.charge(TENSOR_OVERHEAD_BYTES, "the tensor list");
  const name = cursor.string(`the name of tensor ${index}`, TENSOR_NAME_BYTES_MAX);
  if (name === "") throw new GgufError(`the name of tensor ${index} is empty`);
  const shown = `tensor ${quote(name)}`;
  const dimCount = cursor.u32(`the number of dimensions of ${shown}`);
  if (dimCount < 1 || dimCount > DIMS_MAX) {
    throw new GgufError(`${shown} has ${dimCount} dimensions: expected 1 to ${DIMS_MAX}`);
  }
  const dims: number[] = [];
  for (let d = 0; d < dimCount; d++) {
    const dim = cursor.u64(`dimension ${d} of ${shown}`);
    if (dim < 1n || dim > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new GgufError(`dimension ${d} of ${shown} is ${dim}: expected at least 1 and less than 2⁵³`);
    }
    dims.push(Number(dim));
  }
  const typeId = cursor.u32(`the type of ${shown}`);
  const relativeOffset = cursor.u64(`the offset of ${shown}`);
  try {
    return { name, type: typeId, dims, relativeOffset, bytes: tensorBytes(tensorType(typeId), dims) };
  } catch (error) {
    if (error instanceof GgufError) throw new GgufError(`${shown}: ${error.message}`);
    throw error;
  }
}

/** Checks that each tensor is aligned, lies inside the file, and shares no byte with another. */
function placeTensors(
  descriptions: readonly Description[],
  dataOffset: number,
  alignment: number,
  fileBytes: number,
): Map<string, TensorInfo> {
  const tensors = new Map<string, TensorInfo>();
  for (const { name, type, dims, relativeOffset, bytes } of descriptions) {
    const shown = `tensor ${quote(name)}`;
    if (relativeOffset % BigInt(alignment) !== 0n) {
      throw new GgufError(
        `${shown}: its offset ${relativeOffset} is not a multiple of the alignment ${alignment}`,
      );
    }
    if (BigInt(dataOffset) + relativeOffset + BigInt(bytes) > BigInt(fileBytes)) {
      throw new GgufError(
        `${shown} lies outside the file: offset ${relativeOffset} + ${bytes} bytes behind a header of ${dataOffset} ` +
          `is more than the file's ${fileBytes} bytes; the file may be truncated`,
      );
    }
    tensors.set(name, { name, type, dims, offset: dataOffset + Number(relativeOffset), bytes });
  }
  const byOffset = [...tensors.values()].sort((a, b) => a.offset - b.offset);
  for (let i = 1; i < byOffset.length; i++) {
    const [before, after] = [byOffset[i - 1], byOffset[i]];
    if (before.offset + before.bytes > after.offset) {
      throw new GgufError(`tensors ${quote(before.name)} and ${quote(after.name)} overlap`);
    }
  }
  return tensors;
}
