/** Requests that arrive at random, sent to a real engine, and when their tokens came. @module */

import type { Model } from "../../mod.ts";
import { exponentialMs, randomFrom } from "../../src/loadtest/random.ts";

/** A kind of request. */
export interface RequestKind {
  readonly name: string;
  /** Latency class. */
  readonly class: string;
  readonly promptTokens: number;
  readonly answerTokens: number;
}

/** A request on its way. Times are in ms since the load began. */
export interface Trace {
  readonly kind: RequestKind;
  readonly sentAt: number;
  /** When each token came. */
  readonly tokensAt: number[];
}

/** When a request of a kind is sent. */
export interface Arrival {
  readonly atMs: number;
  readonly kind: RequestKind;
}

/** Poisson arrivals: `count` requests at `perSecond` on average, as many of each kind, in random order. */
export function poissonArrivals(
  kinds: readonly RequestKind[],
  { count, perSecond, seed }: { count: number; perSecond: number; seed: number },
): Arrival[] {
  const random = randomFrom(seed);
  let atMs = 0;
  let round: RequestKind[] = [];
  return Array.from({ length: count }, () => {
    atMs += exponentialMs(random, perSecond);
    if (round.length === 0) round = [...kinds];
    const [kind] = round.splice(Math.floor(random() * round.length), 1);
    return { atMs, kind };
  });
}

/** Sends requests and keeps the time. */
export class LoadGenerator {
  readonly #model: Model;
  readonly #random: () => number;
  readonly #startedAt = performance.now();
  readonly #running = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  readonly traces: Trace[] = [];

  constructor(model: Model, seed: number) {
    this.#model = model;
    this.#random = randomFrom(seed);
  }

  get nowMs(): number {
    return performance.now() - this.#startedAt;
  }

  /**
   * Sends one request; the promise resolves at its last token. Prompts are random, so that no prefix is
   * known.
   */
  send(kind: RequestKind): Promise<void> {
    const trace: Trace = { kind, sentAt: this.nowMs, tokensAt: [] };
    this.traces.push(trace);
    const { vocab } = this.#model.info;
    const prompt = Array.from({ length: kind.promptTokens }, () => Math.floor(this.#random() * vocab));
    const { result } = this.#model.generate(prompt, {
      class: kind.class,
      maxTokens: kind.answerTokens,
      ignoreEnd: true,
      temperature: 0,
      signal: this.#abort.signal,
      onTokens: (tokens) => {
        const now = this.nowMs;
        for (const _ of tokens) trace.tokensAt.push(now);
      },
    });
    const done = result.then(() => {});
    this.#running.add(done);
    return done.finally(() => this.#running.delete(done));
  }

  /** Sends each request at its time and waits for the last of their tokens. */
  async replay(arrivals: readonly Arrival[]): Promise<void> {
    for (const { atMs, kind } of arrivals) {
      await waitUntil(() => this.nowMs, atMs);
      void this.send(kind);
    }
    await this.finished();
  }

  async finished(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Ends what is still running. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.finished();
  }

  /**
   * Tokens of prompts and answers per second between two times: a prompt counts when its first token is
   * there.
   */
  tokensPerSecond(fromMs: number, toMs: number): number {
    let tokens = 0;
    for (const { kind, tokensAt } of this.traces) {
      tokensAt.forEach((at, i) => {
        if (at >= fromMs && at < toMs) tokens += i === 0 ? 1 + kind.promptTokens : 1;
      });
    }
    return tokens / (toMs - fromMs) * 1000;
  }
}

/**
 * Waits without giving the time away: timers of a busy program are late by some ms, which is no matter here.
 */
async function waitUntil(now: () => number, atMs: number): Promise<void> {
  const left = atMs - now();
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
}

/** Latencies of one kind of request in ms, each list ascending. */
export interface Latencies {
  /** From sending to the first token. */
  readonly ttft: number[];
  /** Between two tokens. */
  readonly itl: number[];
}

export function latenciesOf(traces: readonly Trace[], kind: string): Latencies {
  const own = traces.filter((trace) => trace.kind.name === kind && trace.tokensAt.length > 0);
  const ttft = own.map(({ sentAt, tokensAt }) => tokensAt[0] - sentAt);
  const itl = own.flatMap(({ tokensAt }) => tokensAt.slice(1).map((at, i) => at - tokensAt[i]));
  return { ttft: ttft.sort((a, b) => a - b), itl: itl.sort((a, b) => a - b) };
}
