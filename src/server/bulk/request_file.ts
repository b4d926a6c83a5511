/** A file of requests, a line each: read once to know what there is, and line by line as they are asked. @module */

import { bytesAt, linesOf } from "./lines.ts";
import { type PrefixKey, prefixKey } from "./prefix_order.ts";
import {
  type BulkPath,
  isProblem,
  type LineProblem,
  readRequestLine,
  type RequestLine,
} from "./request_line.ts";

/** A request of a file, without its body. */
export interface Entry {
  readonly line: number;
  readonly offset: number;
  /** Of the line, in bytes. */
  readonly length: number;
  readonly customId: string;
  readonly path: BulkPath;
  /** The model that it names, if any. */
  readonly model?: string;
  readonly key: PrefixKey;
  /** About so many tokens of KV cache it takes, its answer with it. */
  readonly tokens: number;
}

/** What is wrong with a line of a file. */
export interface FileProblem extends LineProblem {
  readonly line: number;
}

/** What a file of requests holds. */
export interface RequestFile {
  /** In the file's order. */
  readonly entries: readonly Entry[];
  readonly problems: readonly FileProblem[];
}

/** How a file is read. */
export interface ReadOptions {
  /** Longest line. */
  readonly lineBytesMax: number;
  /** Throws here when it is to stop. */
  readonly onLine?: (line: number) => void;
}

const BLANK = /^\s*$/;
/** Of English text and of JSON, roughly. */
const CHARACTERS_PER_TOKEN = 4;
/** Of an answer whose request names no limit. */
const ANSWER_TOKENS = 256;
const LIMITS = ["max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict"];

/**
 * Reads all lines of a file. Of several lines with one `custom_id` the first counts, the others are problems.
 * Blank lines are none.
 */
export async function indexRequests(
  path: string,
  { lineBytesMax, onLine }: ReadOptions,
): Promise<RequestFile> {
  const entries: Entry[] = [];
  const problems: FileProblem[] = [];
  const known = new Map<string, number>();
  for await (const { line, offset, bytes, length } of linesOf(path, lineBytesMax)) {
    onLine?.(line);
    if (bytes !== null && length < 64 && BLANK.test(new TextDecoder().decode(bytes))) continue;
    const read = bytes === null ? tooLong(lineBytesMax, length) : readRequestLine(bytes);
    if (isProblem(read)) {
      problems.push({ line, ...read });
      continue;
    }
    const { customId, path: endpoint, body: { model } } = read;
    const first = known.get(customId);
    if (first !== undefined) problems.push({ line, ...duplicate(customId, first) });
    else {
      known.set(customId, line);
      entries.push({
        line,
        offset,
        length,
        customId,
        path: endpoint,
        ...typeof model === "string" ? { model } : {},
        key: prefixKey(read),
        tokens: tokensOf(read, length),
      });
    }
  }
  return { entries, problems };
}

/** The request of a line that was read before. Throws an Error where the file has changed. */
export async function requestAt(path: string, { offset, length, customId }: Entry): Promise<RequestLine> {
  const read = readRequestLine(await bytesAt(path, offset, length));
  if (isProblem(read) || read.customId !== customId) throw new Error(`${path} was changed while it was read`);
  return read;
}

function tooLong(bytesMax: number, length: number): LineProblem {
  return {
    customId: null,
    code: "line_too_long",
    message: `A line must have at most ${bytesMax} bytes, this one has ${length}`,
    param: null,
  };
}

function duplicate(customId: string, first: number): LineProblem {
  return {
    customId,
    code: "duplicate_custom_id",
    message: `"custom_id" must be another in each line, line ${first} has this one, too`,
    param: "custom_id",
  };
}

function tokensOf({ path, body }: RequestLine, length: number): number {
  const prompt = Math.ceil(length / CHARACTERS_PER_TOKEN);
  if (path === "/v1/embeddings") return prompt;
  const limit = LIMITS.map((name) => body[name]).find((value) => typeof value === "number" && value >= 0);
  const { n } = body;
  const answers = typeof n === "number" && n > 1 ? n : 1;
  return prompt + answers * ((limit as number | undefined) ?? ANSWER_TOKENS);
}
