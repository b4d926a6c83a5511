/** Times a case, alone or in turns with the peer. @module */

import type { GgufFile } from "../../gguf/mod.ts";
import type { ModelRunner } from "../../runner/model_runner.ts";
import { type BenchCase, type CaseSeries, contextOf } from "./cases.ts";
import { caseWork, limitSeconds, macsOf, modelCost } from "./limits.ts";
import type { LimitMeter } from "./meter.ts";
import type { Peer } from "./peer/peer.ts";
import { preparePeer } from "./peer/peer_case.ts";
import type { PeerMode } from "./peer/programs.ts";

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

/** A peer with the same file loaded. */
export interface MeasuredPeer {
  readonly name: string;
  /** A process for each of its modes: each has its own cache, and all are measured in one round. */
  readonly modes: readonly { readonly mode: PeerMode; readonly process: Peer }[];
}

/** What all cases of a run share. */
export interface BenchSetting {
  readonly runner: ModelRunner;
  readonly series: CaseSeries;
  readonly file: GgufFile;
  /** Takes a look before, between and after the runs. */
  readonly meter: LimitMeter;
  readonly kv: string;
  /** Runs of each side; the median counts. */
  readonly repeat: number;
  readonly peer?: MeasuredPeer;
  /** All cases of the run. */
  readonly cases: readonly BenchCase[];
  readonly signal: AbortSignal;
}

/** The middle one of the values; of an even number, the upper one. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** One of the peer's modes, made ready for a case. */
interface PeerRuns {
  readonly mode: PeerMode;
  readonly run: () => Promise<number>;
  readonly seconds: number[];
}

/**
 * Runs a case `repeat` times after a warm-up; with a peer both take turns, kumi once before each of the peer's
 * modes.
 */
export async function measureCase(setting: BenchSetting, bench: BenchCase): Promise<BenchResult> {
  const prepared = setting.series.prepare(bench);
  const peerRuns = await preparePeers(setting, bench);
  const seconds: number[] = [];
  for (let round = -1; round < setting.repeat; round++) {
    for (const theirs of peerRuns.length > 0 ? peerRuns : [undefined]) {
      await new Promise((resolve) => setTimeout(resolve)); // lets Ctrl-C through
      setting.signal.throwIfAborted();
      setting.meter.sample();
      const ours = prepared.run();
      const other = await theirs?.run();
      if (round < 0) continue; // warms caches and clocks
      seconds.push(ours);
      if (other !== undefined) theirs!.seconds.push(other);
    }
  }
  setting.meter.sample();
  return { ...bench, ...speeds(setting, bench, seconds), ...peerSpeeds(setting, bench, seconds, peerRuns) };
}

async function preparePeers(setting: BenchSetting, bench: BenchCase): Promise<PeerRuns[]> {
  const { runner, peer, kv, cases } = setting;
  const context = Math.max(...cases.filter(({ batch }) => batch === bench.batch).map(contextOf));
  const runs: PeerRuns[] = [];
  for (const { mode, process } of peer?.modes ?? []) {
    const shared = { threads: runner.kernels.threads, vocab: runner.hyperparameters.vocab, kv, context };
    runs.push({ mode, run: await preparePeer(process, bench, shared, mode), seconds: [] });
  }
  return runs;
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
    peer: peer.name,
    peerTokensPerSecond: bench.tokens * bench.batch / median(best.seconds),
    ratio: median(best.seconds) / median(seconds),
    ...label === "" ? {} : { peerMode: label },
    peerSeconds: best.seconds,
  };
}
