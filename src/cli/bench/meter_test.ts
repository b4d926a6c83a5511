import { assert, assertEquals } from "@std/assert";
import type { Measurement } from "../../ffi/symbols.ts";
import { caseWork, limitSeconds, modelCost } from "./limits.ts";
import { LimitMeter, type MeasuringTeam, threadCounts, WINDOW_BYTES } from "./meter.ts";

const { test } = Deno;

interface Pass {
  readonly what: string;
  readonly variant: number;
  readonly matrices: readonly number[];
}

/** Measures what it is told to, and notes each pass. */
class FakeTeam implements MeasuringTeam, Disposable {
  readonly threads: number;
  readonly passes: Pass[] = [];
  isDisposed = false;
  /** The figure of the n-th pass of a variant, from 0. */
  readonly #figure: (variant: number, n: number) => number;

  constructor(threads: number, figure: (variant: number, n: number) => number) {
    this.threads = threads;
    this.#figure = figure;
  }

  measure(what: keyof typeof Measurement, variant = 0, matrices: readonly number[] = []) {
    const n = this.of(what).filter((pass) => pass.variant === variant).length;
    this.passes.push({ what, variant, matrices });
    return { value: this.#figure(variant, n), variants: 4 };
  }

  of(what: string): Pass[] {
    return this.passes.filter((pass) => pass.what === what);
  }

  [Symbol.dispose]() {
    this.isDisposed = true;
  }
}

const SMALL = [{ id: 7, bytes: 100 }, { id: 9, bytes: 50 }];

test("LimitMeter tries every variant at its first look, and the best two at each further one", () => {
  const team = new FakeTeam(1, (variant) => [1, 4, 2, 3][variant]);
  using meter = new LimitMeter(team, SMALL);
  meter.sample();
  meter.sample();
  for (const what of ["readBandwidth", "int8Peak", "bf16Peak", "floatPeak"]) {
    assertEquals(team.of(what).map(({ variant }) => variant), [0, 1, 2, 3, 1, 3, 1, 3], what);
  }
  assert(team.of("readBandwidth").every(({ matrices }) => matrices.join() === "7,9"));
  assert(team.of("int8Peak").every(({ matrices }) => matrices.length === 0));
});

test("LimitMeter keeps the best of all looks, however late it comes", () => {
  const team = new FakeTeam(1, (variant, n) => variant === 2 && n === 3 ? 40 : 10 + variant - n);
  using meter = new LimitMeter(team, SMALL);
  const seen: number[] = [];
  for (let look = 0; look < 5; look++) {
    meter.sample();
    seen.push(meter.limits.readGBps);
  }
  assertEquals(seen, [13, 13, 40, 40, 40]);
  assertEquals(meter.limits.gmacps, { int8: 40, bf16: 40, float: 40 });
});

test("LimitMeter counts fewer threads where they read more, and ends their teams", () => {
  const team = new FakeTeam(3, () => 20);
  const fewer = [new FakeTeam(1, () => 15), new FakeTeam(2, (_, n) => 22 + n)];
  {
    using meter = new LimitMeter(team, SMALL, fewer);
    meter.sample();
    meter.sample();
    const { readGBps, readGBpsByThreads } = meter.limits;
    assertEquals(readGBpsByThreads, { 1: 15, 2: 22, 3: 20 });
    assertEquals(readGBps, 22);
  }
  assert(fewer.every(({ isDisposed }) => isDisposed) && !team.isDisposed);
});

test("LimitMeter goes round the matrices of a large model, a window at a time", () => {
  const team = new FakeTeam(1, () => 1);
  const matrices = [1, 2, 3, 4, 5].map((id) => ({ id, bytes: WINDOW_BYTES / 2 }));
  using meter = new LimitMeter(team, matrices);
  meter.sample();
  const windows = team.of("readBandwidth").map(({ matrices }) => matrices.join());
  assertEquals(windows.slice(0, 4), ["1,2", "3,4", "5,1", "2,3"]);
  using one = new LimitMeter(team, [{ id: 8, bytes: 10 * WINDOW_BYTES }]);
  one.sample();
  assertEquals(team.passes.findLast(({ what }) => what === "readBandwidth")!.matrices, [8]);
});

test("threadCounts() goes up one by one, later by doubles, and ends with all", () => {
  assertEquals(threadCounts(1), [1]);
  assertEquals(threadCounts(3), [1, 2, 3]);
  assertEquals(threadCounts(40), [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 40]);
});

/** A file as far as its cost goes. Types: 0 F32, 1 F16, 8 Q8_0, 30 BF16. */
function file(tensors: Record<string, readonly [type: number, rows: number, k: number, bytes: number]>) {
  const entries = Object.entries(tensors).map(([name, [type, rows, k, bytes]]) =>
    [name, { name, type, dims: rows === 1 ? [k] : [k, rows], bytes }] as const
  );
  return { tensors: new Map(entries) } as unknown as Parameters<typeof modelCost>[0];
}

test("weights are held against the peak of the arithmetic that multiplies them", () => {
  const cost = modelCost(
    file({
      "token_embd.weight": [1, 1000, 10, 20_000],
      "blk.0.attn_norm.weight": [0, 1, 10, 40],
      "blk.0.attn_q.weight": [30, 100, 10, 2000],
      "blk.0.ffn_up.weight": [8, 200, 10, 2100],
      "output.weight": [1, 1000, 10, 20_000],
    }),
    0,
  );
  assertEquals(cost.layerMacs, { int8: 2000, bf16: 1000, float: 0 });
  assertEquals(cost.headMacs, { int8: 0, bf16: 0, float: 10_000 });
  assertEquals(cost.matrixBytes, 2000 + 2100 + 20_000);
  const work = caseWork(cost, { test: "prefill", tokens: 10, batch: 1, depth: 0 }, 512);
  assertEquals(work.macs, { int8: 20_000, bf16: 10_000, float: 10_000 });
  const limits = { readGBps: 1e6, readGBpsByThreads: { 1: 1e6 }, gmacps: { int8: 20, bf16: 5, float: 2 } };
  assertEquals(limitSeconds(work, limits), (1000 + 2000 + 5000) / 1e9);
  assertEquals(limitSeconds(work, { ...limits, readGBps: 1 }), work.bytes / 1e9);
});

test("of experts a token passes those that it takes, and a step reads those of all its tokens", () => {
  const dense = file({ "blk.0.attn_q.weight": [8, 100, 10, 1000], "output.weight": [8, 10, 10, 100] });
  const experts = { name: "blk.0.ffn_up_exps.weight", type: 8, dims: [10, 20, 8], bytes: 1600, offset: 0 };
  const tensors = new Map([...dense.tensors, [experts.name, experts]]);
  const metadata = new Map<string, string | number>([
    ["general.architecture", "llama"],
    ["llama.expert_count", 8],
    ["llama.expert_used_count", 2],
  ]);
  const cost = modelCost({ tensors, metadata } as unknown as Parameters<typeof modelCost>[0], 0);
  assertEquals([cost.matrixBytes, cost.expertBytes, cost.expertShare], [1100, 1600, 0.25]);
  assertEquals(cost.layerMacs.int8, 1000 + 1600 / 4);
  const bytesOf = (batch: number) =>
    caseWork(cost, { test: "decode", tokens: 1, batch, depth: 0 }, 512).bytes;
  assertEquals(bytesOf(1), 1100 + 400);
  assertEquals(bytesOf(2), 1100 + 1600 * (1 - 0.75 ** 2));
});

test("a tied embedding is the output head; another one is only looked up", () => {
  const tied = modelCost(file({ "token_embd.weight": [8, 100, 10, 1100] }), 0);
  assertEquals(tied.headMacs.int8, 1000);
  assertEquals(tied.matrixBytes, 1100);
});
