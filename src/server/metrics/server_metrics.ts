import process from "node:process";
import type { LatencyClass } from "../../../scheduler/mod.ts";
import type { Model } from "../../client/model.ts";
import type { EnergyFigures } from "../energy.ts";
import type { BatchFigures } from "../batches/batches.ts";
import type { ModelStats } from "../../client/client.ts";
import { writeBatches } from "./batch_metrics.ts";
import { writeEngineStats, writeHealth } from "./engine_metrics.ts";
import { MetricsText } from "./exposition.ts";
import { RequestMetrics } from "./request_metrics.ts";

/** What metrics need of a model. */
export type StatsSource = Pick<Model, "stats" | "health">;

/** Connections at this moment, and why others were ended since the start. */
export interface ConnectionFigures {
  readonly open: number;
  readonly refused: Readonly<Record<string, number>>;
}

/** How a server's metrics are kept. */
export interface ServerMetricsOptions {
  /** Name of the model, a label of every sample. */
  readonly modelName: string;
  /** The engine's classes. */
  readonly classes: readonly LatencyClass[];
  /** The model; null while it loads. */
  readonly source: () => StatsSource | null;
  /** How many connections there are, where somebody counts them. */
  readonly connections?: () => ConnectionFigures | undefined;
  /** What the machine takes, where somebody counts it. */
  readonly energy?: () => EnergyFigures | undefined;
  /** How it is with batches, where there are any. */
  readonly batchFigures?: () => BatchFigures | undefined;
  /** Tells where requests were answered, where that can be more than one place. */
  readonly routes?: { write(text: MetricsText): void };
  /** Longest wait for the workers' figures in ms; then those of the last time are told. Default 1000. */
  readonly patienceMs?: number;
  /** Ms; never goes backwards. */
  readonly now?: () => number;
}

/** All that `/metrics` tells: what the server observed, and what the workers say when somebody asks. */
export class ServerMetrics {
  /** The server tells it of requests. */
  readonly requests: RequestMetrics;
  readonly #options: Required<Omit<ServerMetricsOptions, "routes">> & Pick<ServerMetricsOptions, "routes">;
  readonly #startedAtSeconds = Date.now() / 1000;
  /** One question at a time, however many scrape: workers that do not answer must not pile them up. */
  #asking: Promise<void> | null = null;
  #last: { stats: ModelStats; atMs: number } | null = null;

  constructor(options: ServerMetricsOptions) {
    const nothing = () => undefined;
    const { connections = nothing, batchFigures = nothing, energy = nothing } = options;
    const defaults = { patienceMs: 1000, now: () => performance.now() };
    this.#options = { ...defaults, ...options, connections, batchFigures, energy };
    this.requests = new RequestMetrics(options.classes);
  }

  /**
   * The body of `/metrics`, with {@linkcode METRICS_CONTENT_TYPE}. Waits for the workers, who answer between
   * two steps.
   */
  async scrape(): Promise<string> {
    const stats = await this.engineStats();
    const { modelName, source, now } = this.#options;
    const text = new MetricsText({ model_name: modelName });
    this.requests.write(text);
    const health = source()?.health();
    if (health !== undefined) writeHealth(text, health);
    else text.family("kumi:ready", "gauge", "1 where requests can be served.").sample(0);
    if (stats !== null) {
      writeEngineStats(text, stats);
      text.family("kumi:requests_quarantined_total", "counter", "Requests of which workers died.")
        .sample(stats.quarantined);
      text.family("kumi:engine_figures_age_seconds", "gauge", "Age of what the workers say here.")
        .sample((now() - this.#last!.atMs) / 1000);
    }
    writeConnections(text, this.#options.connections());
    writeBatches(text, this.#options.batchFigures());
    writeEnergy(text, this.#options.energy());
    this.#options.routes?.write(text);
    text.family("process_start_time_seconds", "gauge", "Start of the server, in seconds since 1970.")
      .sample(this.#startedAtSeconds);
    const { user, system } = process.cpuUsage();
    text.family("process_cpu_seconds_total", "counter", "CPU time of the process.")
      .sample((user + system) / 1e6);
    text.family("process_resident_memory_bytes", "gauge", "Memory of the process.")
      .sample(Deno.memoryUsage().rss);
    return text.toString();
  }

  /** The workers' figures, those of the last time when they take too long; null where there are none yet. */
  async engineStats(): Promise<ModelStats | null> {
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

function writeConnections(text: MetricsText, figures: ConnectionFigures | undefined): void {
  if (figures === undefined) return;
  text.family("kumi:connections", "gauge", "Open connections of clients.").sample(figures.open);
  text.family(
    "kumi:connections_refused_total",
    "counter",
    "Connections that were refused or ended, by reason.",
  );
  for (const [reason, count] of Object.entries(figures.refused)) text.sample(count, { reason });
}

function writeEnergy(text: MetricsText, figures: EnergyFigures | undefined): void {
  if (figures === undefined) return;
  text.family("kumi:energy_joules_total", "counter", "What the machine took since the start, as counted.")
    .sample(figures.joules, { source: figures.source });
}
