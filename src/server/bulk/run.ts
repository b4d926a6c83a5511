/** Answers the requests of a file, those that have no answer yet. @module */

import { newId } from "../guard/headers.ts";
import type { AnswerFile } from "./answer_file.ts";
import {
  type AnswerLine,
  type BulkError,
  errorLine,
  isAnswered,
  problemLine,
  responseLine,
} from "./answer_line.ts";
import type { AskOptions, BulkAsker } from "./asker.ts";
import { InFlight } from "./in_flight.ts";
import { inPrefixOrder, sharedCharacters } from "./prefix_order.ts";
import { type Entry, requestAt, type RequestFile } from "./request_file.ts";

/** Where answers go. */
export interface AnswerFiles {
  readonly answers: AnswerFile;
  /** Default: those that are errors go to the others. */
  readonly errors?: AnswerFile;
}

export interface BulkRunOptions extends AskOptions {
  /** The file that `requests` was read from. */
  readonly path: string;
  readonly requests: RequestFile;
  readonly files: AnswerFiles;
  readonly asker: Pick<BulkAsker, "ask">;
  /** Most requests on their way at the same time. */
  readonly parallel: number;
  /** Most tokens that they take of the KV cache together, about; one request always goes. */
  readonly tokensMax: number;
  /** Told of each line that was written. */
  readonly onLine?: (line: AnswerLine) => void;
  /** Why no further request is to be asked, which each of them then has for an error. */
  readonly refusal?: () => BulkError | undefined;
}

/** Characters to a token, where prefixes are compared. */
const CHARACTERS_PER_TOKEN = 4;

/** Requests that have no answer, in the order in which they are asked. */
export function unanswered({ entries }: RequestFile, { answers, errors }: AnswerFiles): Entry[] {
  const isOpen = ({ customId }: Entry) =>
    !answers.customIds.has(customId) && !(errors?.customIds.has(customId) ?? false);
  return inPrefixOrder(entries.filter(isOpen));
}

/**
 * Resolves when each line of the file has an answer or an error. Rejects with the signal's reason, an
 * EngineGoneError, an AnswerFileError: what was written until then stays, and another run goes on from there.
 */
export async function runBulk(options: BulkRunOptions): Promise<void> {
  const { requests, files, signal, parallel, tokensMax } = options;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const write = async (line: AnswerLine) => {
    await (isAnswered(line) ? files.answers : files.errors ?? files.answers).add(line);
    options.onLine?.(line);
  };
  for (const problem of requests.problems) {
    const isTold = files.answers.problemLines.has(problem.line) ||
      files.errors?.problemLines.has(problem.line);
    if (!isTold) await write(problemLine(newId(), problem));
  }
  const inFlight = new InFlight({ parallel, tokensMax });
  const failures: unknown[] = [];
  let before: Entry | null = null;
  for (const entry of unanswered(requests, files)) {
    const tokens = ownTokens(entry, before);
    before = entry;
    await inFlight.room(tokens);
    if (either.aborted) break;
    inFlight.enter(tokens);
    answer(entry, options, either, write).catch((error) => {
      failures.push(error);
      stop.abort(error);
    }).finally(() => inFlight.leave(tokens));
  }
  await inFlight.idle();
  if (failures.length > 0) throw failures[0];
  signal.throwIfAborted();
}

/** What a request takes beside the one that was asked before it: their common beginning is there once. */
function ownTokens(entry: Entry, before: Entry | null): number {
  const shared = before === null ? 0 : sharedCharacters(entry.key, before.key) / CHARACTERS_PER_TOKEN;
  return Math.max(1, Math.ceil(entry.tokens - shared));
}

async function answer(
  entry: Entry,
  { path, asker, tenant, class: name, refusal }: BulkRunOptions,
  signal: AbortSignal,
  write: (line: AnswerLine) => Promise<void>,
): Promise<void> {
  const refused = refusal?.();
  if (refused !== undefined) return await write(errorLine(newId(), entry.customId, refused));
  const request = await requestAt(path, entry);
  const response = await asker.ask(request, { tenant, class: name, signal });
  await write(responseLine(entry.customId, response));
}
