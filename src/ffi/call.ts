/** Arguments of an op that are too many for a call: a struct in a buffer. @module */

import { u32 } from "./objects.ts";

/** A struct of symbols.ts. */
interface Struct {
  readonly bytes: number;
  readonly fields: Readonly<Record<string, { readonly offset: number }>>;
}

/** The struct with these fields; those named in `floats` are f32, all others u32. */
export function encodeCall<T extends Struct, F extends keyof T["fields"] & string>(
  { bytes, fields }: T,
  words: Readonly<Record<Exclude<keyof T["fields"] & string, F>, number>>,
  floats: Readonly<Record<F, number>>,
): Uint8Array<ArrayBuffer> {
  const call = new DataView(new ArrayBuffer(bytes));
  for (const [name, value] of Object.entries<number>(words)) {
    call.setUint32(fields[name].offset, u32(value, name), true);
  }
  for (const [name, value] of Object.entries<number>(floats)) {
    call.setFloat32(fields[name].offset, value, true);
  }
  return new Uint8Array(call.buffer);
}
