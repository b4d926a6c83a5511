/**
 * How long a layer's experts take where tokens choose them evenly, and where they do not: one layer with the sizes of Qwen3-30B-A3B,
 * random weights, and a router whose logits are given.
 *
 * deno task run bench/experts.ts
 * deno task run bench/experts.ts --format mxfp4 --tokens 512 --threads 2
 *
 * The loads in turn, and the median of each. "same": all tokens take the same experts; "half": one expert is taken by half of the
 * tokens; "zipf": the expert of rank r is taken in proportion to 1 / r.
 * @module
 */

import { ExpertsCall } from "../src/ffi/context.ts";
import { parseFormat } from "../src/gguf/mod.ts";
import { renderTable } from "../src/cli/table.ts";
import { sized } from "./support/settings.ts";
import { TestBed } from "./support/test_bed.ts";
import { parseArgs } from "@std/cli";

const SHAPE = sized({ hidden: 2048, ffn: 768, experts: 128, used: 8 }, {
  hidden: 256,
  ffn: 64,
  experts: 16,
  used: 4,
});
const ROUNDS = sized(15, 1);

type Loads = Readonly<Record<string, (token: number) => number[]>>;

/** Which experts each token takes. */
function loadsOf({ experts, used }: typeof SHAPE): Loads {
  const range = Array.from({ length: used }, (_, j) => j);
  const even = (token: number, count = used, first = 0) =>
    range.slice(0, count).map((j) => first + (token * count + j) % (experts - first));
  let state = 12345;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const total = Array.from({ length: experts }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b);
  const draw = () => {
    let rest = next() * total;
    for (let i = 0; i < experts; i++) if ((rest -= 1 / (i + 1)) < 0) return i;
    return experts - 1;
  };
  return {
    even,
    same: () => range,
    half: (token) => token % 2 === 0 ? [0, ...even(token, used - 1, 1)] : even(token, used, 1),
    zipf: () => {
      const chosen = new Set<number>();
      while (chosen.size < used) chosen.add(draw());
      return [...chosen];
    },
  };
}

function bench(bed: TestBed, format: string, tokens: number): string[][] {
  const { hidden, ffn, experts, used } = SHAPE, { kernels } = bed, rows = tokens * used;
  const name = parseFormat(format);
  const matrix = (own: number, k: number) => ({ weights: bed.weights(name, experts * own, k) });
  const logits = bed.room(tokens * experts * 4), y = bed.floats(tokens * hidden);
  const gateProducts = bed.room(rows * Math.max(2 * ffn, hidden) * 4);
  const call = new ExpertsCall({
    routing: { experts, used, scoring: "softmax", normalise: true, scale: 1, groups: 1, groupsUsed: 1 },
    gate: matrix(ffn, hidden),
    up: matrix(ffn, hidden),
    down: matrix(hidden, ffn),
    function: "silu",
    x: bed.activations(name, tokens, hidden),
    logits,
    chosen: bed.room(rows * 4),
    weights: bed.room(rows * 4),
    gathered: bed.activationRoom(name, rows, hidden).region,
    gateProducts,
    upProducts: gateProducts + rows * ffn * 4 / 64,
    gated: bed.activationRoom(name, rows, ffn),
    products: gateProducts,
    y,
  });
  const loads = Object.entries(loadsOf(SHAPE)).map(([load, choose]) => {
    const values = new Float32Array(tokens * experts).fill(-10);
    for (let token = 0; token < tokens; token++) {
      for (const expert of choose(token)) values[token * experts + expert] = 10 - expert / experts;
    }
    return { load, bytes: new Uint8Array(values.buffer), seconds: [] as number[] };
  });
  for (let round = -1; round < ROUNDS; round++) {
    for (const { bytes, seconds } of loads) {
      kernels.write(logits, bytes);
      const start = performance.now();
      kernels.experts(call, tokens);
      if (round >= 0) seconds.push((performance.now() - start) / 1000);
    }
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1];
  const evenSeconds = median(loads[0].seconds);
  return loads.map(({ load, seconds }) => {
    const took = median(seconds);
    const macs = 3 * rows * ffn * hidden / took / 1e9;
    return [load, `${(took * 1e3).toFixed(2)} ms`, (took / evenSeconds).toFixed(3), macs.toFixed(0)];
  });
}

if (import.meta.main) {
  const options = parseArgs(Deno.args, {
    string: ["format", "tokens", "threads"],
    default: { format: "q4_k", tokens: "512", threads: `${navigator.hardwareConcurrency}` },
  });
  using bed = new TestBed(Number(options.threads));
  const table = bench(bed, String(options.format), Number(options.tokens));
  console.log(renderTable(["load", "a layer's experts", "to even", "GMAC/s"], table));
}
