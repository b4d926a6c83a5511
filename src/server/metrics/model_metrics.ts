import type { LatencyClass } from "../../../scheduler/mod.ts";
import type { Model } from "../../client/model.ts";
import type { ModelStats } from "../../client/client.ts";
import { writeEngineStats, writeHealth } from "./engine_metrics.ts";
import type { MetricsText } from "./exposition.ts";
import { RequestMetrics } from "./request_metrics.ts";

/** What metrics need of a model. */
export type StatsSource = Pick<Model, "stats" | "health">;

export interface ModelMetricsOptions {
  /** The engine's classes. */
  readonly classes: readonly LatencyClass[];
  /** The model; null while it is not in memory. */
  readonly source: () => StatsSource | null;
  /** Longest wait for the workers' figures in ms; then those of the last time are told. Default 1000. */
  readonly patienceMs?: number;
  /** Ms; never goes backwards. */
  readonly now?: () => number;
}

/** What is told of one model: its requests, as the server observed them, and what its workers say. */
export class ModelMetrics {
  readonly requests: RequestMetrics;
  readonly #options: Required<ModelMetricsOptions>;
  /** One question at a time, however many scrape: workers that do not answer must not pile them up. */
  #asking: Promise<void> | null = null;
  #last: { stats: ModelStats; atMs: number } | null = null;

  constructor(options: ModelMetricsOptions) {
    const { patienceMs = 1000, now = () => performance.now() } = options;
    this.#options = { ...options, patienceMs, now };
    this.requests = new RequestMetrics(options.classes);
  }

  /** Writes all of it; `stats`: what `engineStats()` gave. */
  write(text: MetricsText, stats: ModelStats | null): void {
    const { source, now } = this.#options;
    this.requests.write(text);
    const health = source()?.health();
    if (health !== undefined) writeHealth(text, health);
    else text.family("kumi:ready", "gauge", "1 where requests can be served.").sample(0);
    if (stats === null) return;
    writeEngineStats(text, stats);
    text.family("kumi:requests_quarantined_total", "counter", "Requests of which workers died.")
      .sample(stats.quarantined);
    text.family("kumi:engine_figures_age_seconds", "gauge", "Age of what the workers say here.")
      .sample((now() - (this.#last?.atMs ?? now())) / 1000);
  }

  /** The workers' figures, those of the last time when they take too long; null where there are none. */
  async engineStats(): Promise<ModelStats | null> {
    if (this.#options.source() === null) return this.#last = null;
    this.#asking ??= this.#ask().finally(() => this.#asking = null);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve) => timer = setTimeout(resolve, this.#options.patienceMs));
    await Promise.race([this.#asking, patience]);
    clearTimeout(timer);
    return this.#last?.stats ?? null;
  }

  async #ask(): Promise<void> {
    try {
      const stats = await this.#options.source()?.stats();
      if (stats !== undefined) this.#last = { stats, atMs: this.#options.now() };
    } catch {
      // The engine is gone: its health says so.
    }
  }
}
