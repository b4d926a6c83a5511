/** A benchmark's case on the peer. @module */

import { type BenchCase, contextOf, tokensOf } from "../cases.ts";
import type { Peer } from "./peer.ts";

/** What both sides of a comparison share. */
export interface PeerSetting {
  readonly threads: number;
  readonly vocab: number;
  /** Format of the KV cache as kumi calls it. */
  readonly kv: string;
}

/**
 * Whether the peer's flash attention may be on and off in a comparison: it is measured both ways and the
 * better counts. With a quantised cache the peer knows it only on.
 */
export function flashModes(kv: string): readonly boolean[] {
  return kv.startsWith("q") ? [true] : [false, true];
}

/**
 * Makes the peer ready for a case that its file is loaded for. The result computes it and resolves to its
 * seconds.
 */
export async function preparePeer(
  peer: Peer,
  bench: BenchCase,
  setting: PeerSetting,
  flash: boolean,
): Promise<() => Promise<number>> {
  const { threads, vocab, kv } = setting;
  const { depth, batch } = bench;
  await peer.open({ threads, context: contextOf(bench), sequences: batch, flash, kv });
  const tokens = tokensOf(bench, vocab);
  if (depth > 0) await peer.fill(tokens[0].subarray(0, depth));
  const rest = tokens.map((list) => list.subarray(depth));
  return bench.test === "prefill" ? () => peer.prefill(rest[0], depth) : () => peer.decode(rest, depth);
}
