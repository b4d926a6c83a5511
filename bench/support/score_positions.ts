/** What kumi makes of each position of a sequence, in the shape in which llama.cpp is asked for it. @module */

import type { PeerScore } from "../../src/cli/bench/peer/peer.ts";
import { soloTables } from "../../src/runner/kv_groups.ts";
import type { ModelRunner } from "../../src/runner/model_runner.ts";

/** The greedy token of every position but the last, and log-probabilities of it and of the token that follows. */
export function scorePositions(
  runner: ModelRunner,
  tokens: readonly number[],
  contextLength: number,
): PeerScore {
  const result: PeerScore = { greedy: [], greedyLogprob: [], logprob: [] };
  const count = tokens.length - 1;
  const tables = soloTables(runner, contextLength, { first: 0, count });
  runner.forward([{ tokens, first: 0, count, tables }]);
  for (let first = 0; first < count; first += runner.logitsRowsMax) {
    const rows = Math.min(runner.logitsRowsMax, count - first);
    runner.logits(Array.from({ length: rows }, (_, i) => first + i));
    const targets = Uint32Array.from({ length: rows }, (_, i) => tokens[first + i + 1]);
    for (const { best, bestLogprob, logprob } of runner.score(targets)) {
      result.greedy.push(best);
      result.greedyLogprob.push(bestLogprob);
      result.logprob.push(logprob);
    }
  }
  return result;
}
