/**
 * What the machine could do at most: bytes and multiply-adds of a case against the read bandwidth and the
 * multiply-add peaks measured in the same run.
 * @module
 */

import { Kernels } from "../../ffi/context.ts";
import { type GgufFile, tensorType } from "../../gguf/mod.ts";
import type { BenchCase } from "./cases.ts";

/** What the threads can do together at most. */
export interface MachineLimits {
  /** The best of {@linkcode readGBpsByThreads}. */
  readonly readGBps: number;
  /** Read bandwidth by how many of the threads read. */
  readonly readGBpsByThreads: Readonly<Record<number, number>>;
  readonly floatGmacps: number;
  readonly int8Gmacps: number;
}

/**
 * Measures the peaks on the context's threads, and the read bandwidth on fewer too; takes a few seconds. `mib`: memory
 * to read, beyond all caches.
 */
export function measureLimits(kernels: Kernels, mib = 1024): MachineLimits {
  const readGBpsByThreads: Record<number, number> = {};
  for (const threads of threadCounts(kernels.threads)) {
    if (threads === kernels.threads) {
      readGBpsByThreads[threads] = kernels.measure("readBandwidth", mib);
    } else {
      using fewer = Kernels.open({ threads, isa: kernels.isa, workspaceBytes: 64 });
      readGBpsByThreads[threads] = fewer.measure("readBandwidth", mib);
    }
  }
  return {
    readGBps: Math.max(...Object.values(readGBpsByThreads)),
    readGBpsByThreads,
    floatGmacps: kernels.measure("floatPeak"),
    int8Gmacps: kernels.measure("int8Peak"),
  };
}

/** 1, 2, 3, … up to `all`; from 8 on only doubles, since each takes a second. */
export function threadCounts(all: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count < all; count += count < 8 ? 1 : count) counts.push(count);
  return [...counts, all];
}

/** What one token costs, from the file's tensors. */
export interface ModelCost {
  /** Bytes of the matrices in the file that every step reads. */
  readonly matrixBytes: number;
  /** Multiply-adds of the layers, and of the output head, by kind of arithmetic. */
  readonly layerMacs: MacCount;
  readonly headMacs: MacCount;
  /** Bytes of keys and values per token of context. */
  readonly kvBytesPerToken: number;
}

/** Multiply-adds in int8 and in f32 arithmetic. */
export interface MacCount {
  readonly int8: number;
  readonly float: number;
}

const FLOAT_TYPES = new Set(["F32", "F16", "BF16"]);

/** Adds up the matrices that a token passes through; the embedding counts only where it is the output head too. */
export function modelCost(file: GgufFile, kvBytesPerToken: number): ModelCost {
  const tied = !file.tensors.has("output.weight");
  const layer = { int8: 0, float: 0 };
  const head = { int8: 0, float: 0 };
  let matrixBytes = 0;
  for (const tensor of file.tensors.values()) {
    if (tensor.dims.length < 2) continue;
    const isHead = tensor.name === "output.weight" || (tied && tensor.name === "token_embd.weight");
    if (tensor.name === "token_embd.weight" && !isHead) continue;
    matrixBytes += tensor.bytes;
    const kind = FLOAT_TYPES.has(tensorType(tensor.type).name) ? "float" : "int8";
    (isHead ? head : layer)[kind] += tensor.dims.reduce((product, dim) => product * dim, 1);
  }
  return { matrixBytes, layerMacs: layer, headMacs: head, kvBytesPerToken };
}

/** The work of a whole case. Attention's own multiply-adds are left out of the count; its cache reads are in. */
export interface CaseWork {
  readonly bytes: number;
  readonly int8Macs: number;
  readonly floatMacs: number;
}

/** Bytes read at least once and multiply-adds done by a case. */
export function caseWork(cost: ModelCost, bench: BenchCase, batchTokensMax: number): CaseWork {
  const all = bench.tokens * bench.batch;
  const heads = bench.test === "prefill" ? bench.batch : all;
  const steps = bench.test === "prefill"
    ? Math.ceil(bench.tokens / batchTokensMax) * bench.batch
    : bench.tokens;
  const kvReads = bench.test === "prefill"
    ? 0
    : all * (bench.depth + bench.tokens / 2) * cost.kvBytesPerToken;
  return {
    bytes: steps * cost.matrixBytes + kvReads,
    int8Macs: all * cost.layerMacs.int8 + heads * cost.headMacs.int8,
    floatMacs: all * cost.layerMacs.float + heads * cost.headMacs.float,
  };
}

/** Seconds that the case would take at the machine's peaks: the longer of reading and multiplying. */
export function limitSeconds(work: CaseWork, limits: MachineLimits): number {
  const reading = work.bytes / (limits.readGBps * 1e9);
  const multiplying = work.int8Macs / (limits.int8Gmacps * 1e9) + work.floatMacs / (limits.floatGmacps * 1e9);
  return Math.max(reading, multiplying);
}
