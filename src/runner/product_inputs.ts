import { NONE } from "../ffi/context.ts";
import type { Activation, Kernels, Weights } from "../ffi/context.ts";
import type { SharedWeights } from "../models/loading.ts";

/**
 * Told of products: the names of the matrices that multiply the same x, and x: [columns, k] f32, k the matrices' row length. The
 * array is used again for the next product.
 */
export type ProductListener = (names: readonly string[], x: Float32Array, columns: number) => void;

/**
 * Tells `listener` of every product of these kernels with named matrices from now on. Their inputs must have the f32 form, which
 * comes first in a region. Only this one object's methods are replaced: the steps of other kernels do not ask whether somebody listens.
 */
export function listenToProducts(kernels: Kernels, matrices: SharedWeights, listener: ProductListener): void {
  const nameOf = new Map(Object.entries(matrices).map(([name, id]) => [id, name]));
  let buffer = new Float32Array(0);
  const tell = ({ region }: Activation, columns: number, weights: readonly (Weights | undefined)[]) => {
    const present = weights.filter((w) => w !== undefined);
    const size = columns * present[0].k;
    if (buffer.length < size) buffer = new Float32Array(size);
    const x = buffer.subarray(0, size);
    kernels.read(region, new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
    listener(present.map((w) => nameOf.get(w.id) ?? unnamed(w)), x, columns);
  };
  const matmul = kernels.matmul.bind(kernels), gateUp = kernels.gateUp.bind(kernels);
  const upActivate = kernels.upActivate.bind(kernels);
  kernels.matmul = (x, columns, accumulate, w0, b0, y0, w1, b1, y1 = NONE, w2, b2, y2 = NONE) => {
    tell(x, columns, [w0, w1, w2]);
    matmul(x, columns, accumulate, w0, b0, y0, w1, b1, y1, w2, b2, y2);
  };
  kernels.gateUp = (x, columns, gate, gateBias, up, upBias, scratchGate, scratchUp, f, y) => {
    tell(x, columns, [gate, up]);
    gateUp(x, columns, gate, gateBias, up, upBias, scratchGate, scratchUp, f, y);
  };
  kernels.upActivate = (x, columns, up, bias, scratch, f, y) => {
    tell(x, columns, [up]);
    upActivate(x, columns, up, bias, scratch, f, y);
  };
}

function unnamed(weights: Weights): never {
  throw new Error(`A product with a matrix that no tensor of the file has: ${weights}`);
}
