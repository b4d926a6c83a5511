import { AZURE_HEAD, AzureReader } from "./formats/azure.ts";
import { AccessLogReader, isAccessLog } from "./formats/access_log.ts";
import { csvColumns, CsvReader } from "./formats/csv.ts";
import { isMooncake, MooncakeReader } from "./formats/mooncake.ts";
import { isRecording, RecordingReader } from "./formats/recording.ts";
import type { LineReader, ReadLine } from "./line_reader.ts";
import {
  FORMAT_NAMES,
  type SkippedLine,
  type Traffic,
  type TrafficFormat,
  type TrafficRequest,
} from "./traffic.ts";

/** How traffic is read. */
export interface ReadOptions {
  /** Default: the one that the first line shows. */
  readonly format?: TrafficFormat;
}

/**
 * Reads traffic of any {@linkcode TrafficFormat}. Lines that hold no request are left out and told of. Throws
 * a RangeError where the format cannot be told or no line holds a request.
 */
export function readTraffic(text: string, options: ReadOptions = {}): Traffic {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const first = lines.find((line) => line.trim() !== "")?.trim();
  if (first === undefined) throw new RangeError("The traffic is empty");
  const format = options.format ?? detectFormat(first);
  const { reader, hasNames } = readerOf(format, first);
  const collected = new Collected(reader);
  let isFirst = hasNames;
  lines.forEach((line, i) => {
    if (line.trim() === "") return;
    if (!isFirst) collected.add(i + 1, reader.read(line.trim()));
    isFirst = false;
  });
  return collected.traffic(format);
}

/** The format of the traffic whose first line this is. Throws a RangeError for one of none. */
export function detectFormat(first: string): TrafficFormat {
  if (first === AZURE_HEAD) return "azure";
  if (isRecording(first)) return "kumi";
  if (isMooncake(first)) return "mooncake";
  if (isAccessLog(first)) return "log";
  if (csvColumns(first) !== null) return "csv";
  throw new RangeError(
    `The traffic begins with ${JSON.stringify(first.slice(0, 80))}, which no format does: it may be ${
      Object.values(FORMAT_NAMES).join(", ")
    } with a time, the tokens of prompts and of answers`,
  );
}

function readerOf(format: TrafficFormat, first: string): { reader: LineReader; hasNames: boolean } {
  switch (format) {
    case "kumi":
      return { reader: new RecordingReader(), hasNames: false };
    case "azure":
      return { reader: new AzureReader(), hasNames: first === AZURE_HEAD };
    case "mooncake":
      return { reader: new MooncakeReader(), hasNames: false };
    case "log":
      return { reader: new AccessLogReader(), hasNames: false };
    case "csv": {
      const columns = csvColumns(first);
      if (columns === null) {
        throw new RangeError(
          `The first line of the CSV must name a time, the tokens of prompts and of answers, it is ${
            JSON.stringify(first.slice(0, 80))
          }`,
        );
      }
      return { reader: new CsvReader(columns), hasNames: true };
    }
  }
}

/** Requests of a file so far. */
class Collected {
  readonly #reader: LineReader;
  readonly #requests: TrafficRequest[] = [];
  readonly #skipped: SkippedLine[] = [];
  /** Numbers of blocks by their names. */
  readonly #blocks = new Map<string | number, number>();
  #refused = 0;
  #blockTokens: number;
  /** Ms since 1970 of the first part's beginning, and of the part that is being read. */
  #startedAtMs: number | undefined;
  #partAtMs = 0;

  constructor(reader: LineReader) {
    this.#reader = reader;
    this.#blockTokens = reader.blockTokens;
  }

  add(line: number, read: ReadLine): void {
    if ("skip" in read) this.#skipped.push({ line, reason: read.skip });
    else if ("head" in read) this.#begin(line, read.head);
    else if ("refusedAtMs" in read) this.#refused++;
    else {
      const { blocks, ...request } = read;
      this.#requests.push({
        ...request,
        atMs: request.atMs + this.#partAtMs,
        ...blocks === undefined || blocks.length === 0
          ? {}
          : { blocks: blocks.map((name) => this.#block(name)) },
      });
    }
  }

  #begin(line: number, { blockTokens, startedAtMs }: { blockTokens?: number; startedAtMs: number }): void {
    if (blockTokens === undefined) this.#skipped.push({ line, reason: "a head without block_tokens" });
    else if (this.#requests.length > 0 && blockTokens !== this.#blockTokens) {
      throw new RangeError(
        `Line ${line}: a recording with blocks of ${blockTokens} tokens after one with ${this.#blockTokens}`,
      );
    } else this.#blockTokens = blockTokens;
    if (Number.isNaN(startedAtMs)) return;
    this.#startedAtMs ??= startedAtMs;
    this.#partAtMs = startedAtMs - this.#startedAtMs;
  }

  #block(name: string | number): number {
    let block = this.#blocks.get(name);
    if (block === undefined) this.#blocks.set(name, block = this.#blocks.size);
    return block;
  }

  traffic(format: TrafficFormat): Traffic {
    if (this.#requests.length === 0) {
      const [skipped] = this.#skipped;
      const why = skipped === undefined ? "" : `; line ${skipped.line}: ${skipped.reason}`;
      throw new RangeError(`No line of the traffic (${FORMAT_NAMES[format]}) holds a request${why}`);
    }
    const requests = this.#requests.sort((a, b) => a.atMs - b.atMs);
    const hasHeads = format === "kumi";
    const base = !hasHeads && this.#reader.isDated ? requests[0].atMs : 0;
    return {
      format,
      startedAtMs: hasHeads ? this.#startedAtMs : this.#reader.isDated ? base : undefined,
      blockTokens: this.#blockTokens,
      requests: base === 0 ? requests : requests.map((each) => ({ ...each, atMs: each.atMs - base })),
      refused: this.#refused,
      skipped: this.#skipped,
    };
  }
}
