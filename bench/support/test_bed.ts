/** Kernels with objects to benchmark on. @module */

import { type Activation, f32At, Kernels, type Region, type Weights } from "../../src/ffi/context.ts";
import { type FormatName, formatTypeId, tensorType } from "../../src/gguf/mod.ts";
import { activationFormOf } from "../../src/layers/formats.ts";
import { randomFloats } from "./random.ts";

/** Rows of random weights that are really different; a larger matrix repeats them. */
const DIFFERENT_ROWS = 64;
const ROOM_BYTES = 256 << 20;

/** Kernels whose workspace is handed out from the start to the end. Closing frees everything made here. */
export class TestBed implements Disposable {
  readonly kernels: Kernels;
  #units = 0;

  /** `library`: path of a kernel library; default the product's. */
  constructor(threads: number, library?: string) {
    this.kernels = Kernels.open({ threads, libraryPath: library, workspaceBytes: ROOM_BYTES });
  }

  /** A region of so many bytes. */
  room(bytes: number): Region {
    const region = this.#units;
    this.#units += Math.ceil(bytes / 64);
    if (this.#units * 64 > ROOM_BYTES) {
      throw new RangeError(`The test bed has no room for ${bytes} more bytes`);
    }
    return region;
  }

  /** A region of `count` random f32 values. */
  floats(count: number, seed = 1): Region {
    const region = this.room(count * 4);
    const values = randomFloats(count, seed);
    this.kernels.write(region, new Uint8Array(values.buffer));
    return region;
  }

  /** Random activations [columns, k] in the form that weights of this format multiply. */
  activations(format: FormatName, columns: number, k: number): Activation {
    const values = f32At(this.floats(columns * k, 2));
    if (activationFormOf(formatTypeId(format)) === values.forms) return values;
    const quantised = this.activationRoom(format, columns, k);
    this.kernels.quantizeActivations(values.region, k, columns, quantised);
    return quantised;
  }

  /** Room for [columns, k] activations in the form that weights of this format multiply. */
  activationRoom(format: FormatName, columns: number, k: number): Activation {
    const forms = activationFormOf(formatTypeId(format));
    return { region: this.room(this.kernels.activationBytes(forms, columns, k)), forms };
  }

  /** A random matrix [rows, k]. */
  weights(format: FormatName, rows: number, k: number): Weights {
    const id = formatTypeId(format);
    const { blockBytes, blockLength } = tensorType(id);
    const different = Math.min(rows, DIFFERENT_ROWS);
    const bytes = new Uint8Array(different * k / blockLength * blockBytes);
    this.kernels.quantize(id, randomFloats(different * k, 3).map((value) => value / Math.sqrt(k)), bytes);
    const weights = this.kernels.createWeights(id, rows, k);
    for (let first = 0; first < rows; first += different) {
      const count = Math.min(different, rows - first);
      weights.load(first, count, bytes.subarray(0, bytes.length / different * count));
    }
    return weights;
  }

  /** Copies `count` f32 values out of a region. */
  readFloats(region: Region, count: number): Float32Array {
    const values = new Float32Array(count);
    this.kernels.read(region, new Uint8Array(values.buffer));
    return values;
  }

  /** Copies `count` bytes out of a region. */
  readBytes(region: Region, count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    this.kernels.read(region, bytes);
    return bytes;
  }

  [Symbol.dispose](): void {
    this.kernels.close();
  }
}
