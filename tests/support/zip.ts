/** Zip archives for tests. @module */

import { deflateRawSync } from "node:zlib";

/** A file to be. */
export interface ZipInput {
  readonly name: string;
  readonly content: Uint8Array;
  readonly isStored?: boolean;
  /** Size that the directory states; default the true one. */
  readonly statedBytes?: number;
  /** Bit flags of the entry. */
  readonly flags?: number;
}

function record(bytes: number, fields: readonly (readonly [offset: number, size: 2 | 4, value: number])[]) {
  const view = new DataView(new ArrayBuffer(bytes));
  for (const [offset, size, value] of fields) {
    if (size === 2) view.setUint16(offset, value, true);
    else view.setUint32(offset, value, true);
  }
  return new Uint8Array(view.buffer);
}

/** Writes an archive; checksums are left 0. */
export function encodeZip(inputs: readonly ZipInput[], comment = ""): Uint8Array<ArrayBuffer> {
  const body: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  const sizeOf = (parts: readonly Uint8Array[]) => parts.reduce((sum, { length }) => sum + length, 0);
  for (const { name, content, isStored = false, statedBytes = content.length, flags = 0 } of inputs) {
    const packed = isStored ? content : new Uint8Array(deflateRawSync(content));
    const label = new TextEncoder().encode(name);
    const method = isStored ? 0 : 8;
    directory.push(
      record(46, [
        [0, 4, 0x02014b50],
        [8, 2, flags],
        [10, 2, method],
        [20, 4, packed.length],
        [24, 4, statedBytes],
        [28, 2, label.length],
        [42, 4, sizeOf(body)],
      ]),
      label,
    );
    // An extra field, which only the local header has.
    body.push(record(30, [[0, 4, 0x04034b50], [8, 2, method], [26, 2, label.length], [28, 2, 4]]), label);
    body.push(new Uint8Array(4), packed);
  }
  const text = new TextEncoder().encode(comment);
  const end = record(22, [
    [0, 4, 0x06054b50],
    [10, 2, inputs.length],
    [12, 4, sizeOf(directory)],
    [16, 4, sizeOf(body)],
    [20, 2, text.length],
  ]);
  const parts = [...body, ...directory, end, text];
  const all = new Uint8Array(sizeOf(parts));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
