import { type Arrival, chooseClass, type ClassShare } from "./arrivals.ts";
import { randomFrom } from "./random.ts";

/** How a trace is played. */
export interface TraceOptions {
  /** So many times as fast as it was recorded. */
  readonly speed: number;
  /** Seconds of the played trace; the rest is left out. */
  readonly seconds?: number;
  /** Longest prompt and answer: longer ones are cut. */
  readonly promptMax?: number;
  readonly answerMax?: number;
  /** Classes for a trace that has none. */
  readonly classes: readonly ClassShare[];
  readonly seed: number;
}

/** A request as a trace has it; its time may count from anywhere. */
type Entry = Omit<Arrival, "class"> & { readonly class?: string };

/**
 * Reads a trace in one of three formats, told apart by their first line: Azure's CSV
 * (`TIMESTAMP,ContextTokens,GeneratedTokens`), Mooncake's JSON lines (`timestamp`, `input_length`,
 * `output_length`, `hash_ids`), or CSV with `at_ms,class,prompt_tokens,max_tokens`. The first request is sent
 * at 0. Throws a RangeError with the line of what cannot be read.
 */
export function parseTrace(text: string, options: TraceOptions): Arrival[] {
  const lines = text.split(/\r?\n/);
  const head = lines[0].trim();
  const read = head.startsWith("{")
    ? readMooncake
    : head === "TIMESTAMP,ContextTokens,GeneratedTokens"
    ? readAzure
    : head === "at_ms,class,prompt_tokens,max_tokens"
    ? readOwn
    : null;
  if (read === null) {
    throw new RangeError(`The trace begins with "${head.slice(0, 80)}", which no format does`);
  }
  const entries: Entry[] = [];
  lines.forEach((line, i) => {
    if (line.trim() === "" || (i === 0 && read !== readMooncake)) return;
    const entry = read(line);
    if (entry === null || !isEntry(entry)) throw new RangeError(`Line ${i + 1} of the trace cannot be read`);
    entries.push(entry);
  });
  return play(entries, options);
}

function isEntry({ atMs, promptTokens, maxTokens }: Entry): boolean {
  return Number.isFinite(atMs) && [promptTokens, maxTokens].every((n) => Number.isSafeInteger(n) && n >= 0);
}

function play(entries: readonly Entry[], options: TraceOptions): Arrival[] {
  const { speed, seconds = Infinity, promptMax = Infinity, answerMax = Infinity, classes } = options;
  const sorted = entries.toSorted((a, b) => a.atMs - b.atMs);
  const random = randomFrom(options.seed);
  const startMs = sorted[0]?.atMs ?? 0;
  return sorted.map((entry) => ({
    ...entry,
    atMs: (entry.atMs - startMs) / speed,
    class: entry.class ?? chooseClass(classes, random).name,
    promptTokens: Math.max(1, Math.min(entry.promptTokens, promptMax)),
    maxTokens: Math.max(1, Math.min(entry.maxTokens, answerMax)),
  })).filter(({ atMs }) => atMs < seconds * 1000);
}

function readAzure(line: string): Entry | null {
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?Z?,(\d+),(\d+)$/.exec(line.trim());
  if (match === null) return null;
  const [, day, time, fraction = "", input, output] = match;
  const atMs = Date.parse(`${day}T${time}Z`) + 1000 * Number(`0${fraction}`);
  return { atMs, promptTokens: Number(input), maxTokens: Number(output) };
}

function readOwn(line: string): Entry | null {
  const [at, name, input, output, ...rest] = line.trim().split(",");
  if (output === undefined || rest.length > 0 || [at, name, input, output].includes("")) return null;
  return { atMs: Number(at), class: name, promptTokens: Number(input), maxTokens: Number(output) };
}

function readMooncake(line: string): Entry | null {
  try {
    const { timestamp, input_length, output_length, hash_ids } = JSON.parse(line);
    const isList = Array.isArray(hash_ids) && hash_ids.every((id) => Number.isSafeInteger(id));
    if (!isList || typeof timestamp !== "number") return null;
    return { atMs: timestamp, promptTokens: input_length, maxTokens: output_length, blocks: hash_ids };
  } catch {
    return null;
  }
}
