/** How far a file of requests is, on stderr, and the figures at its end. @module */

import { printNote } from "../process/print.ts";
import { type AnswerLine, isAnswered } from "../server/bulk/answer_line.ts";
import { counted } from "./counted.ts";
import { ProgressLine } from "./progress.ts";
import { formatDuration, formatFigure } from "./units.ts";

/** Without a terminal a line so often. */
const NOTE_MS = 30_000;

/** Figures of one run. */
export interface BulkFigures {
  readonly requests: number;
  /** Answers of earlier runs. */
  readonly before: number;
  readonly seconds: number;
  readonly promptTokens: number;
  /** Of these, known from prompts that began alike. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly completionTokensPerSecond: number;
  /** Tokens of prompts and answers. */
  readonly tokensPerSecond: number;
}

/** Tokens of an answer, in the words of either of OpenAI's interfaces. */
interface Usage {
  readonly prompt_tokens?: number;
  readonly input_tokens?: number;
  readonly completion_tokens?: number;
  readonly output_tokens?: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number };
  readonly input_tokens_details?: { readonly cached_tokens?: number };
}

/** Counts the lines of a run as they are written. */
export class BulkReport {
  readonly #open: number;
  readonly #before: number;
  #line: ProgressLine | null = null;
  #startedMs = performance.now();
  #endedMs: number | null = null;
  #notedMs = performance.now();
  #requests = 0;
  #failed = 0;
  #promptTokens = 0;
  #cachedTokens = 0;
  #completionTokens = 0;

  /** `open`: requests that have no answer yet, `done`: that have one. */
  constructor({ open, done }: { readonly open: number; readonly done: number }) {
    this.#open = open;
    this.#before = done;
  }

  /** Time counts from here, until what is returned is disposed. */
  begin(): Disposable {
    this.#startedMs = this.#notedMs = performance.now();
    const line = this.#line = new ProgressLine("requests", String);
    return {
      [Symbol.dispose]: () => {
        this.#endedMs = performance.now();
        line.clear();
      },
    };
  }

  /** A line was written. */
  note(line: AnswerLine): void {
    // A line that is no request was not among those that are open.
    if (line.error?.line !== undefined) return;
    this.#requests++;
    if (!isAnswered(line)) this.#failed++;
    const { usage } = (line.response?.body ?? {}) as { usage?: Usage };
    this.#promptTokens += usage?.prompt_tokens ?? usage?.input_tokens ?? 0;
    this.#completionTokens += usage?.completion_tokens ?? usage?.output_tokens ?? 0;
    this.#cachedTokens += (usage?.prompt_tokens_details ?? usage?.input_tokens_details)?.cached_tokens ?? 0;
    this.#line?.update(this.#requests, this.#open, this.#speed());
    this.#tell();
  }

  figures(): BulkFigures {
    const seconds = ((this.#endedMs ?? performance.now()) - this.#startedMs) / 1000;
    const [promptTokens, completionTokens] = [this.#promptTokens, this.#completionTokens];
    const perSecond = (count: number) => this.#requests === 0 ? 0 : count / seconds;
    return {
      requests: this.#requests,
      before: this.#before,
      seconds,
      promptTokens,
      cachedTokens: this.#cachedTokens,
      completionTokens,
      completionTokensPerSecond: perSecond(completionTokens),
      tokensPerSecond: perSecond(promptTokens + completionTokens),
    };
  }

  /** `failed`: error lines of all runs. */
  summary(failed: number): string {
    const { requests, seconds, promptTokens, cachedTokens, completionTokens, completionTokensPerSecond } =
      this
        .figures();
    const errors = failed === 0 ? "" : `, ${counted(failed, "error")} in all`;
    if (requests === 0) return `nothing was left to do${errors}`;
    return `${counted(requests, "request")} in ${
      formatDuration(seconds * 1000)
    }${errors}: ${promptTokens} tokens of prompts, ` +
      `${cachedTokens} of them known from others, ${completionTokens} of answers, ` +
      `${formatFigure(completionTokensPerSecond)} of these a second`;
  }

  #speed(): string {
    return `${formatFigure(this.figures().tokensPerSecond)} tokens/s`;
  }

  #tell(): void {
    const nowMs = performance.now();
    if (Deno.stderr.isTerminal() || nowMs - this.#notedMs < NOTE_MS) return;
    this.#notedMs = nowMs;
    const elapsedMs = nowMs - this.#startedMs;
    const leftMs = elapsedMs / this.#requests * (this.#open - this.#requests);
    const errors = this.#failed === 0 ? "" : `, ${counted(this.#failed, "error")}`;
    printNote(
      `kumi: ${this.#requests} of ${counted(this.#open, "request")}${errors}, ${this.#speed()}, ` +
        `${formatDuration(leftMs)} left`,
    );
  }
}
