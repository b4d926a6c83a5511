/** A benchmark's case on the peer. @module */

import { type BenchCase, tokensOf } from "../cases.ts";
import type { Peer } from "./peer.ts";
import type { PeerMode } from "./programs.ts";

/** What both sides of a comparison share. */
export interface PeerSetting {
  readonly threads: number;
  readonly vocab: number;
  /** Format of the KV cache as kumi calls it. */
  readonly kv: string;
  /** Positions of each sequence: enough for all cases, so that one context serves them. */
  readonly context: number;
}

/**
 * Makes the peer ready for a case that its file is loaded for. The result computes it and resolves to its
 * seconds.
 */
export async function preparePeer(
  peer: Peer,
  bench: BenchCase,
  setting: PeerSetting,
  mode: PeerMode,
): Promise<() => Promise<number>> {
  const { threads, vocab, kv, context } = setting;
  const { depth, batch } = bench;
  await peer.open({ threads, context, sequences: batch, mode, kv });
  const tokens = tokensOf(bench, vocab);
  if (depth > 0) await peer.fill(tokens[0].subarray(0, depth));
  const rest = tokens.map((list) => list.subarray(depth));
  return bench.test === "prefill" ? () => peer.prefill(rest[0], depth) : () => peer.decode(rest, depth);
}
