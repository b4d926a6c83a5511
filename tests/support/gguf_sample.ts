/** A small GGUF file with every kind of field, and the places of its fields, for tests that break it. */

import { encodeHeader, type TensorSpec } from "../../src/gguf/encode.ts";
import { arrayEntry, scalarEntry } from "../../src/gguf/entries.ts";
import { type MetadataEntry, VALUE_BYTES_MIN, valueTypeName } from "../../src/gguf/value_types.ts";

export const sampleEntries: readonly MetadataEntry[] = [
  scalarEntry("string", "general.architecture", "llama"),
  scalarEntry("u32", "general.alignment", 64),
  scalarEntry("u8", "test.u8", 255),
  scalarEntry("i8", "test.i8", -128),
  scalarEntry("u16", "test.u16", 65535),
  scalarEntry("i16", "test.i16", -32768),
  scalarEntry("u32", "test.u32", 4294967295),
  scalarEntry("i32", "test.i32", -2147483648),
  scalarEntry("f32", "test.f32", 0.5),
  scalarEntry("bool", "test.bool", true),
  scalarEntry("u64", "test.u64", 18446744073709551615n),
  scalarEntry("i64", "test.i64", -9007199254740991),
  scalarEntry("f64", "test.f64", Math.PI),
  scalarEntry("string", "test.string", "grüße 組 🙂"),
  arrayEntry("string", "test.strings", ["", "a", "é", "組", "🙂", "plain words here"]),
  arrayEntry("f32", "test.f32s", Float32Array.of(0, 1.5, -2)),
  arrayEntry("i32", "test.i32s", Int32Array.of(1, 3, 6)),
  arrayEntry("u64", "test.u64s", BigUint64Array.of(1n, 2n ** 63n)),
  arrayEntry("bool", "test.bools", [true, false, true]),
  arrayEntry("u8", "test.empty", new Uint8Array(0)),
];

export const sampleTensors: readonly TensorSpec[] = [
  { name: "token_embd.weight", type: 12, dims: [256, 3] },
  { name: "blk.0.attn_q.weight", type: 8, dims: [64, 4] },
  { name: "blk.0.attn_norm.weight", type: 0, dims: [5] },
  { name: "test.four_dims", type: 1, dims: [2, 3, 2, 2] },
];

/** The file's bytes; each tensor's data counts up from its index. */
export function sampleFile(
  entries: readonly MetadataEntry[] = sampleEntries,
  tensors: readonly TensorSpec[] = sampleTensors,
): Uint8Array {
  const header = encodeHeader(entries, tensors);
  const file = new Uint8Array(header.fileBytes);
  file.set(header.bytes);
  header.tensors.forEach(({ offset, bytes }, index) => {
    for (let i = 0; i < bytes; i++) file[offset + i] = index + i;
  });
  return file;
}

/** One field of a header. */
export interface Field {
  /** As in `test.strings/length`, `test.strings[2]/length`, `tensor 1/dim 0`. */
  readonly name: string;
  readonly at: number;
  readonly bytes: number;
}

/** All fields of a valid header, found by a walk that shares no code with the reader. */
export function headerFields(file: Uint8Array): Field[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const fields: Field[] = [];
  let at = 0;
  const field = (name: string, bytes: number): number => {
    fields.push({ name, at, bytes });
    at += bytes;
    if (bytes === 4) return view.getUint32(at - 4, true);
    return bytes === 8 ? Number(view.getBigUint64(at - 8, true)) : 0;
  };
  const string = (name: string): string => {
    const length = field(`${name}/length`, 8);
    field(`${name}/text`, length);
    return new TextDecoder().decode(file.subarray(at - length, at));
  };
  const value = (name: string, type: number): void => {
    const typeName = valueTypeName(type)!;
    if (typeName === "string") return void string(name);
    if (typeName !== "array") return void field(`${name}/value`, VALUE_BYTES_MIN[typeName]);
    const elementType = field(`${name}/element type`, 4);
    const count = field(`${name}/count`, 8);
    const elementName = valueTypeName(elementType)!;
    if (elementName !== "string") return void field(`${name}/values`, count * VALUE_BYTES_MIN[elementName]);
    for (let i = 0; i < count; i++) string(`${name}[${i}]`);
  };
  field("magic", 4);
  field("version", 4);
  const tensorCount = field("tensor count", 8);
  const keyCount = field("key count", 8);
  for (let i = 0; i < keyCount; i++) {
    const key = string(`key ${i}`);
    value(key, field(`${key}/type`, 4));
  }
  for (let i = 0; i < tensorCount; i++) {
    string(`tensor ${i}/name`);
    const dims = field(`tensor ${i}/dims`, 4);
    for (let d = 0; d < dims; d++) field(`tensor ${i}/dim ${d}`, 8);
    field(`tensor ${i}/type`, 4);
    field(`tensor ${i}/offset`, 8);
  }
  return fields;
}

/** Folder with real files that are not part of the repository, or null. */
export function sharedData(): string | null {
  const folder = new URL("../../../shared/data/", import.meta.url);
  try {
    return Deno.statSync(folder).isDirectory ? decodeURIComponent(folder.pathname) : null;
  } catch {
    return null;
  }
}
