import { randomBytes } from "node:crypto";
import type {
  AcceptedRequest,
  FinishedRequest,
  RefusedRequest,
  RequestObserver,
} from "../server/observer.ts";
import {
  type LossLine,
  RECORDING_VERSION,
  type RecordingHead,
  type RecordingLine,
  type RefusalLine,
} from "./formats/recording.ts";
import type { LineFile } from "./line_file.ts";
import { isClassName } from "./traffic.ts";
import { rounded } from "./write.ts";

/** Where a recorder's lines go. */
export type Lines = Pick<LineFile, "begin" | "push"> & AsyncDisposable;

/** Clocks: ms of performance.now(), and ms since 1970. */
export interface RecorderClocks {
  readonly now: () => number;
  readonly date: () => number;
}

const CLOCKS: RecorderClocks = { now: () => performance.now(), date: () => Date.now() };

/** A request that was taken and has not ended. */
type Open = Pick<RecordingLine, "at_ms" | "class" | "blocks">;

/**
 * Writes a line for each answer when that has ended: when its request came, its class, its tokens, and what
 * its prompt shares with others; nothing of what it says. The key of the hashes is drawn at random and lives
 * only here and in the engine: once both have ended nobody can find out which text a hash is of. An answer
 * that is under way when the program ends is not recorded.
 */
export class TrafficRecorder implements RequestObserver, AsyncDisposable {
  /** For the engine that makes the hashes. */
  readonly prefixHashKey: string = randomBytes(32).toString("base64url");
  readonly #lines: Lines;
  readonly #clocks: RecorderClocks;
  readonly #startedAt: number;
  readonly #open = new Map<string, Open>();
  /** Lines that found no room and were not told of yet. */
  #lost = 0;

  constructor(lines: Lines, blockTokens: number, clocks: RecorderClocks = CLOCKS) {
    this.#lines = lines;
    this.#clocks = clocks;
    this.#startedAt = clocks.now();
    const head: RecordingHead = {
      kumi_traffic: RECORDING_VERSION,
      recording: randomBytes(6).toString("base64url"),
      started: new Date(clocks.date()).toISOString(),
      block_tokens: blockTokens,
    };
    lines.begin(JSON.stringify(head));
  }

  accepted({ id, class: name, startedAt = this.#clocks.now(), prefixHashes }: AcceptedRequest): void {
    this.#open.set(id, { at_ms: this.#time(startedAt), class: className(name), blocks: prefixHashes });
  }

  firstToken(): void {}

  tokens(): void {}

  finished(id: string, { promptTokens, completionTokens, cachedTokens, isEmbedding }: FinishedRequest): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    const { at_ms, class: name, blocks } = open;
    const line: RecordingLine = {
      at_ms,
      class: name,
      prompt_tokens: promptTokens,
      answer_tokens: isEmbedding ? 0 : completionTokens,
      cached_tokens: cachedTokens,
      blocks: blocks?.length ? blocks : undefined,
    };
    this.#write(line);
  }

  refused({ class: name, reason }: RefusedRequest): void {
    // One that names no class was wrong in itself.
    if (name === "") return;
    const line: RefusalLine = {
      at_ms: this.#time(this.#clocks.now()),
      class: className(name),
      refused: reason,
    };
    this.#write(line);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tellLost();
    await this.#lines[Symbol.asyncDispose]();
  }

  #write(line: RecordingLine | RefusalLine): void {
    this.#tellLost();
    if (!this.#lines.push(JSON.stringify(line))) this.#lost++;
  }

  #tellLost(): void {
    if (this.#lost === 0) return;
    const line: LossLine = { lost: this.#lost };
    if (this.#lines.push(JSON.stringify(line))) this.#lost = 0;
  }

  #time(now: number): number {
    return rounded(now - this.#startedAt);
  }
}

/** Operators name classes, and only such names are kept. */
function className(name: string): string | undefined {
  return isClassName(name) ? name : undefined;
}
