import { alignUp, GgufError, quote } from "./error.ts";
import { tensorBytes, tensorType } from "./tensor_types.ts";
import {
  isNumericType,
  type MetadataEntry,
  NUMERIC_ARRAY,
  ValueType,
  type ValueTypeName,
} from "./value_types.ts";

/** A tensor to be written. `dims`: elements per dimension, fastest first. */
export interface TensorSpec {
  readonly name: string;
  readonly type: number;
  readonly dims: readonly number[];
}

/** A {@linkcode TensorSpec} with its place. */
export interface PlacedTensor extends TensorSpec {
  /** Position in the file, in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** An encoded header and the places of the tensors behind it. */
export interface EncodedHeader {
  /** The header, padded to the alignment: tensor data follows at once. */
  readonly bytes: Uint8Array;
  readonly alignment: number;
  readonly tensors: readonly PlacedTensor[];
  /** Size of the whole file. The last tensor is padded too. */
  readonly fileBytes: number;
}

const VERSION = 3;

/**
 * Encodes a GGUF version 3 header. The alignment is that of the entry `general.alignment`, 32 without one.
 *
 * Throws {@linkcode GgufError} for duplicate names, a value that does not fit its type, or a row that is not a whole
 * number of blocks.
 */
export function encodeHeader(
  entries: readonly MetadataEntry[],
  tensors: readonly TensorSpec[],
): EncodedHeader {
  assertUnique(entries.map(({ key }) => key), "key");
  assertUnique(tensors.map(({ name }) => name), "tensor");
  const alignment = Number(entries.find(({ key }) => key === "general.alignment")?.value ?? 32);
  const out = new ByteBuilder();
  out.bytes(new TextEncoder().encode("GGUF"));
  out.u32(VERSION);
  out.u64(tensors.length);
  out.u64(entries.length);
  for (const entry of entries) encodeEntry(out, entry);
  let relative = 0;
  const placed = tensors.map((spec) => {
    const bytes = tensorBytes(tensorType(spec.type), spec.dims);
    out.string(spec.name);
    out.u32(spec.dims.length);
    for (const dim of spec.dims) out.u64(dim);
    out.u32(spec.type);
    out.u64(relative);
    const offset = relative;
    relative = alignUp(relative + bytes, alignment);
    return { ...spec, offset, bytes };
  });
  const header = out.finish(alignment);
  return {
    bytes: header,
    alignment,
    tensors: placed.map((tensor) => ({ ...tensor, offset: tensor.offset + header.length })),
    fileBytes: header.length + relative,
  };
}

function assertUnique(names: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw new GgufError(`the ${what} ${quote(name)} appears twice`);
    seen.add(name);
  }
}

function encodeEntry(out: ByteBuilder, { key, type, elementType, value }: MetadataEntry): void {
  out.string(key);
  out.u32(ValueType[type]);
  if (type !== "array") return encodeValue(out, key, type, value);
  if (elementType === undefined || elementType === "array" || typeof value !== "object") {
    throw new GgufError(`${quote(key)}: an array needs an element type that is not an array`);
  }
  out.u32(ValueType[elementType]);
  out.u64(value.length);
  if (isNumericType(elementType) && value instanceof NUMERIC_ARRAY[elementType]) {
    return out.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }
  for (const element of value) encodeValue(out, key, elementType, element);
}

const INTEGER_BITS = { u8: 8, i8: 8, u16: 16, i16: 16, u32: 32, i32: 32, u64: 64, i64: 64 } as const;

function encodeValue(out: ByteBuilder, key: string, type: ValueTypeName, value: unknown): void {
  if (type === "string" && typeof value === "string") return out.string(value);
  if (type === "bool" && typeof value === "boolean") return out.bytes(Uint8Array.of(value ? 1 : 0));
  if ((type === "f32" || type === "f64") && typeof value === "number") return out.float(type, value);
  if (type in INTEGER_BITS && (typeof value === "bigint" || Number.isSafeInteger(value))) {
    const bits = INTEGER_BITS[type as keyof typeof INTEGER_BITS];
    const integer = BigInt(value as number | bigint);
    const wrapped = type.startsWith("u") ? BigInt.asUintN(bits, integer) : BigInt.asIntN(bits, integer);
    if (wrapped === integer) return out.integer(BigInt.asUintN(64, integer), bits / 8);
  }
  throw new GgufError(`${quote(key)}: a ${type} cannot hold ${String(value)}`);
}

/** Bytes that grow at the end. */
class ByteBuilder {
  #data = new Uint8Array(1 << 16);
  #view = new DataView(this.#data.buffer);
  #length = 0;
  readonly #encoder = new TextEncoder();

  bytes(source: Uint8Array): void {
    this.#reserve(source.length);
    this.#data.set(source, this.#length);
    this.#length += source.length;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  u64(value: number): void {
    this.integer(BigInt(value), 8);
  }

  /** The low `bytes` bytes of `value`. */
  integer(value: bigint, bytes: number): void {
    this.#reserve(8);
    // Writes eight bytes and keeps `bytes`: little-endian puts the low ones first.
    this.#view.setBigUint64(this.#length, value, true);
    this.#length += bytes;
  }

  float(type: "f32" | "f64", value: number): void {
    this.#reserve(8);
    if (type === "f32") this.#view.setFloat32(this.#length, value, true);
    else this.#view.setFloat64(this.#length, value, true);
    this.#length += type === "f32" ? 4 : 8;
  }

  string(text: string): void {
    const encoded = this.#encoder.encode(text);
    this.u64(encoded.length);
    this.bytes(encoded);
  }

  /** What was written, padded with zeros to a multiple of `alignment`. */
  finish(alignment: number): Uint8Array {
    const length = alignUp(this.#length, alignment);
    this.#reserve(length - this.#length);
    this.#data.fill(0, this.#length, length);
    return this.#data.subarray(0, length);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#data.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#data.length));
    grown.set(this.#data.subarray(0, this.#length));
    this.#data = grown;
    this.#view = new DataView(grown.buffer);
  }
}
