/** The format of kumi's own recordings: JSON lines. @module */

import { isClassName, isTokenCount } from "../traffic.ts";
import { type LineReader, parseObject, type ReadLine, shown, skip } from "../line_reader.ts";

/** Version of the format. A reader refuses others. */
export const RECORDING_VERSION = 1;

/** The first line of a recording, and of each part of one that was begun again. */
export interface RecordingHead {
  readonly kumi_traffic: typeof RECORDING_VERSION;
  /** Names the key of the hashes: those of different recordings say nothing of each other. */
  readonly recording: string;
  /** ISO 8601; `at_ms` counts from here. Absent where only the distances are known. */
  readonly started?: string;
  /** Tokens of a block of a prompt. */
  readonly block_tokens: number;
}

/** A request that was answered, written when that ended. */
export interface RecordingLine {
  readonly at_ms: number;
  readonly class?: string;
  readonly prompt_tokens: number;
  readonly answer_tokens: number;
  readonly cached_tokens?: number;
  /** A keyed hash for each full block of the prompt, of all its tokens up to the block's end. */
  readonly blocks?: readonly string[];
}

/** A request that was refused. */
export interface RefusalLine {
  readonly at_ms: number;
  readonly class?: string;
  /** The error's code, such as "queue_full". */
  readonly refused: string;
}

/** Requests that came faster than they could be written. */
export interface LossLine {
  readonly lost: number;
}

/** Whether a line is the first one of a recording, of whatever version. */
export function isRecording(line: string): boolean {
  return parseObject(line)?.kumi_traffic !== undefined;
}

/** Reads recordings. Throws a RangeError for one of another version. */
export class RecordingReader implements LineReader {
  readonly isDated = true;
  readonly blockTokens = 16;
  #recording = "";

  read(line: string): ReadLine {
    const fields = parseObject(line);
    if (fields === null) return skip("no JSON object: it may have been cut off");
    if (fields.kumi_traffic !== undefined) return this.#readHead(fields);
    const { at_ms: atMs, class: name, lost, refused } = fields;
    if (isTokenCount(lost)) return skip(`${lost} requests came faster than they could be written`);
    if (typeof atMs !== "number" || !Number.isFinite(atMs)) return skip(`at_ms is ${shown(atMs)}`);
    if (refused !== undefined) return { refusedAtMs: atMs };
    const { prompt_tokens: promptTokens, answer_tokens: answerTokens, cached_tokens: cachedTokens } = fields;
    if (!isTokenCount(promptTokens)) return skip(`prompt_tokens is ${shown(promptTokens)}`);
    if (!isTokenCount(answerTokens)) return skip(`answer_tokens is ${shown(answerTokens)}`);
    const blocks = fields.blocks ?? [];
    if (!Array.isArray(blocks) || !blocks.every((block) => typeof block === "string")) {
      return skip("blocks is no list of strings");
    }
    return {
      atMs,
      ...isClassName(name) ? { class: name } : {},
      promptTokens,
      answerTokens,
      ...isTokenCount(cachedTokens) ? { cachedTokens: Math.min(cachedTokens, promptTokens) } : {},
      ...blocks.length === 0 ? {} : { blocks: blocks.map((block) => `${this.#recording} ${block}`) },
    };
  }

  #readHead(
    { kumi_traffic: version, recording, started, block_tokens }: Readonly<Record<string, unknown>>,
  ): ReadLine {
    if (version !== RECORDING_VERSION) {
      throw new RangeError(
        `The recording has version ${shown(version)}, this kumi reads version ${RECORDING_VERSION}`,
      );
    }
    this.#recording = String(recording);
    const blockTokens = isTokenCount(block_tokens) && block_tokens > 0 ? block_tokens : undefined;
    return { head: { startedAtMs: typeof started === "string" ? Date.parse(started) : NaN, blockTokens } };
  }
}
