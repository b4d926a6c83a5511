/**
 * A GGUF file that is nowhere: its header is made, and its tensors are read out of other files as somebody
 * asks for them.
 * @module
 */

import type { ByteSource } from "./byte_source.ts";
import { encodeHeader } from "./encode.ts";
import type { MetadataEntry } from "./value_types.ts";

/** A tensor of the file and where its bytes come from. */
export interface VirtualTensor {
  readonly name: string;
  /** GGUF's id of the format. */
  readonly type: number;
  /** Elements per dimension, fastest first. */
  readonly dims: readonly number[];
  /** Fills `target` with the bytes from `offset` on. */
  readonly read: (offset: number, target: Uint8Array) => void;
}

/** The bytes of such a file. */
export class VirtualSource implements ByteSource {
  readonly bytes: number;
  readonly #header: Uint8Array;
  /** By rising position. */
  readonly #places: readonly {
    readonly offset: number;
    readonly bytes: number;
    readonly tensor: VirtualTensor;
  }[];
  readonly #close: () => void;

  /** `close` closes what the tensors are read from. */
  constructor(entries: readonly MetadataEntry[], tensors: readonly VirtualTensor[], close: () => void) {
    const header = encodeHeader(entries, tensors);
    this.bytes = header.fileBytes;
    this.#header = header.bytes;
    this.#places = header.tensors.map(({ offset, bytes }, i) => ({ offset, bytes, tensor: tensors[i] }));
    this.#close = close;
  }

  readAt(offset: number, target: Uint8Array): void {
    const end = offset + target.length;
    target.fill(0); // what lies between tensors
    if (offset < this.#header.length) target.set(this.#header.subarray(offset, end));
    for (let i = this.#firstAt(offset); i < this.#places.length && this.#places[i].offset < end; i++) {
      const { offset: start, bytes, tensor } = this.#places[i];
      const from = Math.max(offset, start);
      const to = Math.min(end, start + bytes);
      if (to > from) tensor.read(from - start, target.subarray(from - offset, to - offset));
    }
  }

  close(): void {
    this.#close();
  }

  /** Index of the first tensor that ends after `offset`. */
  #firstAt(offset: number): number {
    let low = 0;
    for (let high = this.#places.length; low < high;) {
      const middle = (low + high) >> 1;
      const { offset: start, bytes } = this.#places[middle];
      if (start + bytes <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Bytes that are there already. */
export function fromMemory(data: Float32Array): VirtualTensor["read"] {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return (offset, target) => target.set(bytes.subarray(offset, offset + target.length));
}

/** Rows of `rowBytes` bytes in another order: row i of the file is row `rowOf(i)` of what `read` reads. */
export function reordered(
  read: VirtualTensor["read"],
  rowBytes: number,
  rowOf: (row: number) => number,
): VirtualTensor["read"] {
  return (offset, target) => {
    for (let done = 0; done < target.length;) {
      const row = Math.floor((offset + done) / rowBytes);
      const within = offset + done - row * rowBytes;
      const count = Math.min(rowBytes - within, target.length - done);
      read(rowOf(row) * rowBytes + within, target.subarray(done, done + count));
      done += count;
    }
  };
}
