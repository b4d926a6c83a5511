import { NONE } from "../ffi/context.ts";
import type { Activation, ExpertsCall, HeadProductsCall, Kernels, Weights } from "../ffi/context.ts";
import type { SharedWeights } from "../models/loading.ts";

/**
 * Told of products: the names of the matrices that multiply the same x, and x: [columns, k] f32, k the matrices' row length. The
 * array is used again for the next product. Of matrices of experts or heads, which of them multiplies, and how many there are.
 */
export type ProductListener = (
  names: readonly string[],
  x: Float32Array,
  columns: number,
  expert?: { readonly index: number; readonly count: number },
) => void;

/**
 * Tells `listener` of every product of these kernels with named matrices from now on. Their inputs must have the f32 form, which
 * comes first in a region. Only this one object's methods are replaced: the steps of other kernels do not ask whether somebody listens.
 */
export function listenToProducts(kernels: Kernels, matrices: SharedWeights, listener: ProductListener): void {
  const nameOf = new Map(Object.entries(matrices).map(([name, id]) => [id, name]));
  let buffer = new Float32Array(0);
  const read = ({ region }: Activation, size: number) => {
    if (buffer.length < size) buffer = new Float32Array(size);
    const x = buffer.subarray(0, size);
    kernels.read(region, new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
    return x;
  };
  const namesOf = (weights: readonly Weights[]) => weights.map((w) => nameOf.get(w.id) ?? unnamed(w));
  const tell = (x: Activation, columns: number, weights: readonly (Weights | undefined)[]) => {
    const present = weights.filter((w) => w !== undefined);
    listener(namesOf(present), read(x, columns * present[0].k), columns);
  };
  const tellExperts = ({ params }: ExpertsCall, tokens: number) => {
    const { gate, up, down, routing: { experts: count, used } } = params;
    const tokensOf = tokensByExpert(kernels, params.chosen, tokens * used, used, count);
    const first = gate === undefined ? [up.weights] : [gate.weights, up.weights];
    const { k } = up.weights;
    const x = read(params.x, tokens * k).slice();
    const gated = read(params.gated, tokens * used * down.weights.k);
    let row = 0;
    for (const [index, own] of tokensOf.entries()) {
      if (own.length === 0) continue;
      const columns = new Float32Array(own.length * k);
      own.forEach((token, i) => columns.set(x.subarray(token * k, (token + 1) * k), i * k));
      listener(namesOf(first), columns, own.length, { index, count });
      const rows = gated.subarray(row * down.weights.k, (row + own.length) * down.weights.k);
      listener(namesOf([down.weights]), rows, own.length, { index, count });
      row += own.length;
    }
  };
  const tellHeads = ({ params: { weights, columns, heads } }: HeadProductsCall, tokens: number) => {
    const size = tokens * weights.k, x = read(columns, heads * size);
    for (let index = 0; index < heads; index++) {
      listener(namesOf([weights]), x.subarray(index * size, (index + 1) * size), tokens, {
        index,
        count: heads,
      });
    }
  };
  const matmul = kernels.matmul.bind(kernels), gateUp = kernels.gateUp.bind(kernels);
  const upActivate = kernels.upActivate.bind(kernels), experts = kernels.experts.bind(kernels);
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
  // What heads multiply is made by the call.
  const headProducts = kernels.headProducts.bind(kernels);
  kernels.headProducts = (call, tokens) => {
    headProducts(call, tokens);
    tellHeads(call, tokens);
  };
  // Which experts multiply is known when they have; what they multiplied is still there.
  kernels.experts = (call, tokens) => {
    experts(call, tokens);
    tellExperts(call, tokens);
  };
}

/** The tokens of each expert, ascending: their rows lie one expert's behind another's in this order. */
function tokensByExpert(
  kernels: Kernels,
  region: number,
  rows: number,
  used: number,
  experts: number,
): number[][] {
  const chosen = new Uint32Array(rows);
  kernels.read(region, new Uint8Array(chosen.buffer));
  const tokens: number[][] = Array.from({ length: experts }, () => []);
  chosen.forEach((expert, i) => tokens[expert].push(Math.floor(i / used)));
  return tokens;
}

function unnamed(weights: Weights): never {
  throw new Error(`A product with a matrix that no tensor of the file has: ${weights}`);
}
