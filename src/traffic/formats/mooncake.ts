import { isTokenCount } from "../traffic.ts";
import { type LineReader, parseObject, type ReadLine, shown, skip } from "../line_reader.ts";

/** Whether a line is of a trace of Mooncake's. */
export function isMooncake(line: string): boolean {
  const fields = parseObject(line);
  return fields !== null && "input_length" in fields && "output_length" in fields;
}

/**
 * Mooncake's traces: `timestamp` in ms, `input_length`, `output_length`, and in `hash_ids` the blocks of 512
 * tokens, the last of which may be partly filled. github.com/kvcache-ai/Mooncake.
 */
export class MooncakeReader implements LineReader {
  readonly isDated = false;
  readonly blockTokens = 512;

  read(line: string): ReadLine {
    const fields = parseObject(line);
    if (fields === null) return skip("no JSON object");
    const { timestamp: atMs, input_length: promptTokens, output_length: answerTokens, hash_ids } = fields;
    if (typeof atMs !== "number" || !Number.isFinite(atMs)) return skip(`timestamp is ${shown(atMs)}`);
    if (!isTokenCount(promptTokens)) return skip(`input_length is ${shown(promptTokens)}`);
    if (!isTokenCount(answerTokens)) return skip(`output_length is ${shown(answerTokens)}`);
    if (hash_ids === undefined) return { atMs, promptTokens, answerTokens };
    if (!Array.isArray(hash_ids) || !hash_ids.every(Number.isSafeInteger)) {
      return skip("hash_ids is no list of whole numbers");
    }
    return { atMs, promptTokens, answerTokens, blocks: hash_ids };
  }
}
