/** The zero-terminated text at an offset. Throws RangeError beyond the end. */
export function textAt(view: DataView, offset: number): string {
  let end = offset;
  while (view.getUint8(end) !== 0) end++;
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + offset, end - offset));
}

/** A 64-bit number that is an offset or a size in a file. */
export function offsetAt(view: DataView, offset: number): number {
  return Number(view.getBigUint64(offset, true));
}
