/**
 * What the machine could do at most: bytes and multiply-adds of a case against the read bandwidth and the
 * multiply-add peaks measured in the same run (meter.ts).
 * @module
 */

import { expertShare, isOfExperts } from "../../gguf/active.ts";
import { type GgufFile, type TensorInfo, tensorType } from "../../gguf/mod.ts";
import type { BenchCase } from "./cases.ts";

/** What the threads can do together at most. */
export interface MachineLimits {
  /** Of the model's own matrices: the best of {@linkcode readGBpsByThreads}. */
  readonly readGBps: number;
  /** Read bandwidth by how many of the threads read. */
  readonly readGBpsByThreads: Readonly<Record<number, number>>;
  /** 10⁹ multiply-adds per second, by kind of weights. */
  readonly gmacps: MacCount;
}

/** What one token costs, from the file's tensors. */
export interface ModelCost {
  /** Bytes of the matrices in the file that every step reads. */
  readonly matrixBytes: number;
  /** Bytes of all experts, of which a step reads those that its tokens take. */
  readonly expertBytes: number;
  /** The share of the experts that a token takes. */
  readonly expertShare: number;
  /** Multiply-adds of the layers, and of the output head, by kind of arithmetic. */
  readonly layerMacs: MacCount;
  readonly headMacs: MacCount;
  /** Bytes of keys and values per token of context. */
  readonly kvBytesPerToken: number;
}

/** Multiply-adds by the arithmetic of their weights: that of bf16 differs between instruction sets. */
export interface MacCount {
  readonly int8: number;
  readonly bf16: number;
  /** F16 and F32: f32 arithmetic. */
  readonly float: number;
}

const KINDS: Readonly<Record<string, keyof MacCount>> = { F32: "float", F16: "float", BF16: "bf16" };

/** The matrices that a token passes through; the embedding counts only where it is the output head too. */
export function* matricesRead(file: GgufFile): Generator<TensorInfo> {
  const tied = !file.tensors.has("output.weight");
  for (const tensor of file.tensors.values()) {
    if (tensor.dims.length >= 2 && (tied || tensor.name !== "token_embd.weight")) yield tensor;
  }
}

/** Adds up {@linkcode matricesRead}. */
export function modelCost(file: GgufFile, kvBytesPerToken: number): ModelCost {
  const layer = { int8: 0, bf16: 0, float: 0 };
  const head = { int8: 0, bf16: 0, float: 0 };
  const share = expertShare(file);
  let matrixBytes = 0, expertBytes = 0;
  for (const tensor of matricesRead(file)) {
    const { name, bytes, type, dims } = tensor;
    const isExperts = isOfExperts(tensor);
    if (isExperts) expertBytes += bytes;
    else matrixBytes += bytes;
    const isHead = name === "output.weight" || name === "token_embd.weight";
    const macs = dims.reduce((product, dim) => product * dim, isExperts ? share : 1);
    (isHead ? head : layer)[KINDS[tensorType(type).name] ?? "int8"] += macs;
  }
  return { matrixBytes, expertBytes, expertShare: share, layerMacs: layer, headMacs: head, kvBytesPerToken };
}

/**
 * The work of a whole case. Attention's own multiply-adds are left out of the count; its cache reads are in.
 */
export interface CaseWork {
  readonly bytes: number;
  readonly macs: MacCount;
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
  const stepTokens = bench.test === "prefill" ? Math.min(bench.tokens, batchTokensMax) : bench.batch;
  // Of experts that are chosen evenly so many are read that some token of a step takes.
  const experts = cost.expertBytes * (1 - (1 - cost.expertShare) ** stepTokens);
  const macs = (kind: keyof MacCount) => all * cost.layerMacs[kind] + heads * cost.headMacs[kind];
  return {
    bytes: steps * (cost.matrixBytes + experts) + kvReads,
    macs: { int8: macs("int8"), bf16: macs("bf16"), float: macs("float") },
  };
}

/** Multiply-adds of every kind. */
export function macsOf({ int8, bf16, float }: MacCount): number {
  return int8 + bf16 + float;
}

/** Seconds that the case would take at the machine's peaks: the longer of reading and multiplying. */
export function limitSeconds({ bytes, macs }: CaseWork, { readGBps, gmacps }: MachineLimits): number {
  const multiplying = macs.int8 / gmacps.int8 + macs.bf16 / gmacps.bf16 + macs.float / gmacps.float;
  return Math.max(bytes / readGBps, multiplying) / 1e9;
}
