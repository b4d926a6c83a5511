/** Times a case, alone or in turns with the peer. @module */

import type { GgufFile } from "../../gguf/mod.ts";
import type { ModelRunner } from "../../runner/model_runner.ts";
import { type BenchCase, prepare } from "./cases.ts";
import { caseWork, limitSeconds, macsOf, modelCost } from "./limits.ts";
import type { LimitMeter } from "./meter.ts";
import type { Peer } from "./peer/peer.ts";
import { preparePeer } from "./peer/peer_case.ts";
import type { PeerMode, PeerProgram } from "./peer/programs.ts";

/** One line of the result: what was run, how fast, and how near to the limit. */
export interface BenchResult extends BenchCase {
  readonly tokensPerSecond: number;
  /** Share of what the machine could do at most; 1 is the limit. */
  readonly fractionOfLimit: number;
  readonly gigabytesPerSecond: number;
  readonly gmacPerSecond: number;
  /** Of all runs, in the order they ran. */
  readonly seconds: readonly number[];
  readonly peer?: string;
  readonly peerTokensPerSecond?: number;
  /** tokensPerSecond / peerTokensPerSecond */
  readonly ratio?: number;
  /** How the peer's best figure was measured, where it has more than one way. */
  readonly peerMode?: string;
  readonly peerSeconds?: readonly number[];
}

/** What all cases of a run share. */
export interface BenchSetting {
  readonly runner: ModelRunner;
  readonly file: GgufFile;
  /** Takes a look before, between and after the runs. */
  readonly meter: LimitMeter;
  readonly kv: string;
  /** Runs of each side; the median counts. */
  readonly repeat: number;
  /** The peer with the same file loaded. */
  readonly peer?: { readonly program: PeerProgram; readonly process: Peer };
  readonly signal: AbortSignal;
}

/** The middle one of the values; of an even number, the upper one. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Seconds of the peer's runs in one of its modes. */
interface PeerRuns {
  readonly mode: PeerMode;
  readonly seconds: number[];
}

/**
 * Runs a case `repeat` times after a warm-up; with a peer both take turns, once for each of the peer's modes.
 */
export async function measureCase(setting: BenchSetting, bench: BenchCase): Promise<BenchResult> {
  const { runner, peer, kv } = setting;
  const prepared = prepare(runner, bench);
  const seconds: number[] = [];
  const peerRuns: PeerRuns[] = [];
  if (peer === undefined) {
    await rounds(setting, () => prepared.run(), seconds);
  } else {
    const shared = { threads: runner.kernels.threads, vocab: runner.hyperparameters.vocab, kv };
    for (const mode of peer.program.modes(kv)) {
      const runs: PeerRuns = { mode, seconds: [] };
      const runPeer = await preparePeer(peer.process, bench, shared, mode);
      await rounds(setting, () => prepared.run(), seconds, { run: runPeer, seconds: runs.seconds });
      peerRuns.push(runs);
    }
  }
  return { ...bench, ...speeds(setting, bench, seconds), ...peerSpeeds(setting, bench, seconds, peerRuns) };
}

async function rounds(
  { repeat, signal, meter }: BenchSetting,
  run: () => number,
  seconds: number[],
  peer?: { run: () => Promise<number>; seconds: number[] },
): Promise<void> {
  for (let round = -1; round < repeat; round++) {
    await new Promise((resolve) => setTimeout(resolve)); // lets Ctrl-C through
    signal.throwIfAborted();
    meter.sample();
    const ours = run();
    const theirs = await peer?.run();
    if (round < 0) continue; // warms caches and clocks
    seconds.push(ours);
    if (theirs !== undefined) peer!.seconds.push(theirs);
  }
  meter.sample();
}

function speeds({ runner, file, meter }: BenchSetting, bench: BenchCase, seconds: readonly number[]) {
  const cost = modelCost(file, runner.kvBytesPerToken);
  const work = caseWork(cost, bench, runner.batchTokensMax);
  const middle = median(seconds);
  return {
    tokensPerSecond: bench.tokens * bench.batch / middle,
    fractionOfLimit: limitSeconds(work, meter.limits) / middle,
    gigabytesPerSecond: work.bytes / middle / 1e9,
    gmacPerSecond: macsOf(work.macs) / middle / 1e9,
    seconds,
  };
}

function peerSpeeds(
  { peer }: BenchSetting,
  bench: BenchCase,
  seconds: readonly number[],
  runs: readonly PeerRuns[],
) {
  if (peer === undefined) return {};
  const best = runs.reduce((a, b) => median(b.seconds) < median(a.seconds) ? b : a);
  const { label } = best.mode;
  return {
    peer: peer.program.name,
    peerTokensPerSecond: bench.tokens * bench.batch / median(best.seconds),
    ratio: median(best.seconds) / median(seconds),
    ...label === "" ? {} : { peerMode: label },
    peerSeconds: best.seconds,
  };
}
