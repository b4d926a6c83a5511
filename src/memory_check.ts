import { BLOCK_TOKENS } from "./batch.ts";
import { ModelError } from "./models/error.ts";

/** What a model needs and what there is. */
export interface MemoryNeed {
  weightBytes: number;
  kvBytesPerToken: number;
  /** Tokens wanted in the KV cache, and the fewest that will do. */
  kvTokens: number;
  kvTokensMin: number;
  /** What this process may still use. */
  availableBytes: number;
}

const MIB = 2 ** 20;
// Activations and logits of a step, rotary tables, the tokenizer; large models have larger ones.
const MARGIN_BYTES = 64 * MIB;
const MARGIN_OF_WEIGHTS = 0.05;
const MARGIN_OF_WEIGHTS_MAX_BYTES = 1024 * MIB;

/**
 * The tokens that the KV cache can have beside the weights and a margin: as many as wanted, or fewer but a whole
 * number of blocks. Throws a ModelError when the fewest do not fit: the system would end the process later, without a
 * word.
 */
export function fitKvTokens(need: MemoryNeed): number {
  const { weightBytes, kvBytesPerToken, kvTokens, kvTokensMin, availableBytes } = need;
  const marginBytes = MARGIN_BYTES + Math.min(MARGIN_OF_WEIGHTS_MAX_BYTES, MARGIN_OF_WEIGHTS * weightBytes);
  const tokens = (availableBytes - weightBytes - marginBytes) / kvBytesPerToken;
  if (tokens >= kvTokens) return kvTokens;
  if (tokens >= kvTokensMin) {
    return Math.max(kvTokensMin, Math.floor(tokens / BLOCK_TOKENS) * BLOCK_TOKENS);
  }
  const total = weightBytes + marginBytes + kvTokensMin * kvBytesPerToken;
  throw new ModelError(
    `The model needs ${mib(total)} and this process may use ${mib(availableBytes)}: weights ${
      mib(weightBytes)
    }, ` +
      `KV cache ${mib(kvTokensMin * kvBytesPerToken)} for ${kvTokensMin} tokens, margin ${
        mib(marginBytes)
      }. ` +
      `Lower contextLength or kvTokens, take a smaller model, or load with kv.overcommit`,
  );
}

function mib(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}
