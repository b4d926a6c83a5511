/** Measures with a real server: started for the settings, under load, watched. @module */

import { sendLoad, warmUp } from "../loadtest/generator.ts";
import { PromptMaker, type TokenRate } from "../loadtest/prompts.ts";
import type { Arrival } from "../loadtest/arrivals.ts";
import { ascending, quantile } from "../loadtest/quantile.ts";
import { newRecord, type RequestRecord, send } from "../loadtest/send.ts";
import { gapsOf, ttftOf } from "../loadtest/summary.ts";
import { calibrate, firstModel, type Target } from "../loadtest/target.ts";
import { limitedSource, type LoadSource } from "./load_source.ts";
import { mean } from "./statistics.ts";
import { OWN_SHARE } from "./prompt_limits.ts";
import type { AlonePrompt, Measurer, RunResult, RunWish, Sounding } from "./measurer.ts";
import { measuresOf } from "./measures.ts";
import { delay } from "../process/delay.ts";
import { type EnergyCounter, measureIdleWatts, startWindow } from "../energy/counter.ts";
import { FigureWatch, parseScrape, type Scrape, stepFitOf } from "./server_figures.ts";
import type { PointSettings, TrialObjectives } from "./report_data.ts";

/** A server that is ready. */
export interface RunningServer {
  /** Such as http://127.0.0.1:41234. */
  readonly url: string;
  readonly loadSeconds: number;
  /** What it said last, for when it does not answer. */
  lastWords(): string;
  stop(): Promise<void>;
}

/** What measuring needs. */
export interface ServerMeasurerOptions {
  /** Starts a server with these settings. Throws an Error with a reason where it does not come up. */
  readonly start: (settings: PointSettings, signal: AbortSignal) => Promise<RunningServer>;
  readonly source: LoadSource;
  readonly objectives: TrialObjectives;
  /** CPUs that this process may use at most. */
  readonly usableCpus: number;
  readonly signal: AbortSignal;
  /** What counts the machine's energy; null where nothing does. */
  readonly energy: EnergyCounter | null;
  /** An instrument outside writes down what the machine takes: it has to see it idle, too. */
  readonly isMetered?: boolean;
}

const IN_FLIGHT_MAX = 2048;
const TIMEOUT_MS = 3_600_000;
/** A request that touches all code and pages before anything counts. */
const WARM_UP = { atMs: 0, promptTokens: 48, maxTokens: 8 };
/** Nothing to do for so long, where energy is counted. */
const IDLE_MS = 3000;
/** Of the request that is alone. */
const SOUND_PROMPT_MAX = 1024, SOUND_ANSWER_MAX = 64;
/** Quantiles of the prompts' lengths of which it is measured what they take alone. */
const SOUND_SHARES = [0.25, 0.5, 0.75, 0.9, 0.95, 1];
const NO_BLOCKS = { blocks: undefined };

export class ServerMeasurer implements Measurer, AsyncDisposable {
  readonly #options: ServerMeasurerOptions;
  #server: { readonly key: string; readonly running: RunningServer; readonly target: Target } | null = null;
  /** Of the model: asked once. */
  #rate: TokenRate | null = null;
  /** Of {@linkcode sound}; unknown after an interruption, when the report still has it. */
  #idleWatts: number | null = null;

  constructor(options: ServerMeasurerOptions) {
    this.#options = options;
  }

  async sound(settings: PointSettings, seed: number): Promise<Sounding> {
    const { source } = this.#options;
    const { running, target } = await this.#serverFor(settings);
    const prompts = new PromptMaker(this.#rate!, { nonce: seed });
    const arrivals = source.arrivals({ perSecond: 10, seconds: 20, seed });
    if (arrivals.length === 0) throw new Error("the traffic has no requests");
    // The middle one by its length: one request stands for all.
    const typical = arrivals.toSorted((a, b) => a.promptTokens - b.promptTokens)[arrivals.length >> 1];
    const arrival = {
      ...typical,
      atMs: 0,
      promptTokens: Math.min(typical.promptTokens, SOUND_PROMPT_MAX),
      maxTokens: Math.max(8, Math.min(typical.maxTokens, SOUND_ANSWER_MAX)),
    };
    const record = await this.#sendAlone(arrival, target, prompts);
    if (record.outcome !== "ok") {
      throw new Error(`the first request failed: ${record.problem ?? record.status}`);
    }
    const gaps = gapsOf(record);
    const itlMs = gaps.length > 0 ? mean(gaps) : ttftOf(record);
    const answers = arrivals.map(({ maxTokens }) => maxTokens);
    const scrape = await this.#scrape(running);
    const alone = await this.#measureLengths(arrivals, target, prompts);
    const idleFromMs = Date.now();
    const { energy, isMetered = false, signal } = this.#options;
    const idleWatts = energy === null ? null : await measureIdleWatts(energy, IDLE_MS);
    if (energy === null && isMetered) await delay(IDLE_MS, signal);
    this.#idleWatts = idleWatts;
    return {
      loadSeconds: running.loadSeconds,
      ttftMs: ttftOf(record),
      itlMs,
      e2eMs: ttftOf(record) + itlMs * mean(answers),
      step: scrape === null ? null : stepFitOf(scrape.samples),
      promptTokens: record.promptTokens,
      alone,
      idleWatts,
      idleWindow: { fromMs: idleFromMs, toMs: Date.now() },
    };
  }

  /**
   * What prompts of the traffic's lengths take alone, the short ones first, until one takes more than its own share
   * of the longest time that a class promises. Nothing is known of them before: no other has begun as they do.
   */
  async #measureLengths(
    arrivals: readonly Arrival[],
    target: Target,
    prompts: PromptMaker,
  ): Promise<AlonePrompt[]> {
    const { classes } = this.#options.objectives;
    const waiting = classes.filter(({ ttftMs }) => ttftMs !== null);
    const own = arrivals.filter((each) => waiting.some((one) => one.class === each.class));
    if (own.length === 0) return [];
    const sorted = ascending(own.map(({ promptTokens }) => promptTokens));
    const lengths = new Set(SOUND_SHARES.map((share) => Math.round(quantile(sorted, share))));
    const enoughMs = OWN_SHARE * Math.max(...waiting.map(({ ttftMs }) => ttftMs!));
    const alone: AlonePrompt[] = [];
    for (const promptTokens of lengths) {
      const record = await this.#sendAlone(
        { ...own[0], ...NO_BLOCKS, promptTokens, maxTokens: 2 },
        target,
        prompts,
      );
      // What is refused as too late took too long, and the lengths below tell where that begins.
      if (record.outcome !== "ok") break;
      alone.push({ promptTokens: record.promptTokens, ttftMs: ttftOf(record) });
      if (ttftOf(record) > enoughMs) break;
    }
    return alone;
  }

  async #sendAlone(arrival: Arrival, target: Target, prompts: PromptMaker): Promise<RequestRecord> {
    const { signal } = this.#options;
    const startedAt = performance.now();
    const record = newRecord({ ...arrival, atMs: 0 }, 0);
    await send(record, {
      target,
      prompt: prompts.make(arrival),
      maxTokens: arrival.maxTokens,
      now: () => performance.now() - startedAt,
      signal,
      timeoutMs: TIMEOUT_MS,
    });
    signal.throwIfAborted();
    return record;
  }

  async run(wish: RunWish): Promise<RunResult> {
    const { source, objectives, signal, usableCpus, energy } = this.#options;
    const fromMs = Date.now();
    const failed = (problem: string): RunResult => ({
      measures: null,
      problem,
      step: null,
      energy: null,
      work: [],
      window: { fromMs, toMs: Date.now() },
    });
    let server: { running: RunningServer; target: Target };
    try {
      server = await this.#serverFor(wish.settings);
    } catch (error) {
      signal.throwIfAborted();
      return failed((error as Error).message);
    }
    const { running, target } = server;
    const arrivals = limitedSource(source, wish.promptLimits ?? []).arrivals(wish);
    const prompts = new PromptMaker(this.#rate!, { nonce: wish.seed * 31 + Math.round(performance.now()) });
    const watch = await FigureWatch.begin(
      () => this.#scrape(running),
      Math.min(usableCpus, wish.settings.workers * wish.settings.threads),
    );
    const counting = energy === null ? null : startWindow(energy, { idleWatts: this.#idleWatts });
    const loadFromMs = Date.now();
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), wish.seconds * 1000 + wish.drainMs);
    const records = await sendLoad(arrivals, {
      target,
      prompts,
      inFlightMax: IN_FLIGHT_MAX,
      timeoutMs: TIMEOUT_MS,
      signal: AbortSignal.any([signal, giveUp.signal]),
    });
    clearTimeout(timer);
    const counted = counting?.stop() ?? null;
    const window = { fromMs: loadFromMs, toMs: Date.now() };
    const { figures, step, work } = await watch.end();
    signal.throwIfAborted();
    const lost = records.length > 0 &&
      records.every(({ outcome, status }) => outcome === "failed" && status === 0);
    // A server that has gone is started anew for the next run; one that has much left to do, too.
    if (lost || giveUp.signal.aborted) await this.#stop();
    if (lost) return failed(`the server has gone: ${running.lastWords()}`);
    const measures = measuresOf(records, wish.seconds, objectives, figures);
    return { measures, step, energy: counted, work, window };
  }

  /** Where the server of these settings can be asked; it is started where another one is running. */
  async urlOf(settings: PointSettings): Promise<string> {
    return (await this.#serverFor(settings)).running.url;
  }

  async #serverFor(settings: PointSettings): Promise<{ running: RunningServer; target: Target }> {
    const key = JSON.stringify(settings);
    if (this.#server?.key === key) return this.#server;
    await this.#stop();
    const { start, signal, source } = this.#options;
    const running = await start(settings, signal);
    try {
      const baseUrl = `${running.url}/v1`;
      const target: Target = {
        baseUrl,
        model: await firstModel(baseUrl, undefined, signal),
        api: "chat",
        sendsClass: true,
        ignoreEnd: true,
      };
      this.#rate ??= await calibrate(target, 1, signal);
      const prompts = new PromptMaker(this.#rate, { nonce: 2 });
      await warmUp([{ ...WARM_UP, class: source.classes[0] }], {
        target,
        prompts,
        inFlightMax: 1,
        timeoutMs: TIMEOUT_MS,
        signal,
      });
      this.#server = { key, running, target };
      return this.#server;
    } catch (error) {
      await running.stop();
      throw error;
    }
  }

  async #scrape({ url }: RunningServer): Promise<Scrape | null> {
    try {
      const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5000) });
      return response.ok ? parseScrape(await response.text()) : (await response.body?.cancel(), null);
    } catch {
      return null;
    }
  }

  async #stop(): Promise<void> {
    const { running } = this.#server ?? {};
    this.#server = null;
    await running?.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }
}
