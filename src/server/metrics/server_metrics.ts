import process from "node:process";
import type { EnergyFigures } from "../energy.ts";
import type { ModelStats } from "../../client/client.ts";
import type { BatchFigures } from "../batches/batches.ts";
import { VERSION } from "../../protocol/version.ts";
import type { Usage } from "../accounts/usage.ts";
import { writeBatches } from "./batch_metrics.ts";
import { MetricsText } from "./exposition.ts";
import { ModelMetrics, type ModelMetricsOptions } from "./model_metrics.ts";
import type { RequestMetrics } from "./request_metrics.ts";
import { writeStores } from "./store_metrics.ts";
import { writeUsage } from "./usage_metrics.ts";

/** Connections at this moment, and why others were ended since the start. */
export interface ConnectionFigures {
  readonly open: number;
  readonly refused: Readonly<Record<string, number>>;
}

/** What a server tells of itself, whatever its models. */
export interface ProcessMetricsOptions {
  /** How many connections there are, where somebody counts them. */
  readonly connections?: () => ConnectionFigures | undefined;
  /** What the machine takes, where somebody counts it. */
  readonly energy?: () => EnergyFigures | undefined;
  /** How it is with batches, where there are any. */
  readonly batchFigures?: () => BatchFigures | undefined;
  /** What keys have used, where somebody counts it. */
  readonly usage?: Usage;
  /** Tells where requests were answered, where that can be more than one place. */
  readonly routes?: { write(text: MetricsText): void };
}

/** How the metrics of a server with one model are kept. */
export interface ServerMetricsOptions extends ProcessMetricsOptions, ModelMetricsOptions {
  /** Name of the model, a label of every sample. */
  readonly modelName: string;
}

/** All that `/metrics` tells: what the server observed, and what the workers say when somebody asks. */
export class ServerMetrics {
  readonly #model: ModelMetrics;
  readonly #options: ServerMetricsOptions;
  readonly #writeProcess: (text: MetricsText, tenant: string) => void;

  constructor(options: ServerMetricsOptions) {
    this.#options = options;
    this.#model = new ModelMetrics(options);
    this.#writeProcess = processMetrics(options);
  }

  /** The server tells it of requests. */
  get requests(): RequestMetrics {
    return this.#model.requests;
  }

  /**
   * The body of `/metrics`, with {@linkcode METRICS_CONTENT_TYPE}, as a tenant may see it. Waits for the workers, who answer between
   * two steps.
   */
  async scrape(tenant = ""): Promise<string> {
    const stats = await this.engineStats();
    const text = new MetricsText({ model_name: this.#options.modelName });
    this.#model.write(text, stats);
    writeStores(text, [stats]);
    this.#writeProcess(text, tenant);
    return text.toString();
  }

  /** The workers' figures, those of the last time when they take too long; null where there are none yet. */
  engineStats(): Promise<ModelStats | null> {
    return this.#model.engineStats();
  }
}

/** Writes what a server tells of itself; it began when this was called. */
export function processMetrics(
  { connections, batchFigures, energy, usage, routes }: ProcessMetricsOptions,
): (text: MetricsText, tenant: string) => void {
  const startedAtSeconds = Date.now() / 1000;
  return (text, tenant) => {
    writeConnections(text, connections?.());
    writeBatches(text, batchFigures?.());
    writeEnergy(text, energy?.());
    writeUsage(text, usage, tenant);
    routes?.write(text);
    text.family("kumi:build_info", "gauge", "1; the version of kumi, and of Deno.")
      .sample(1, { version: VERSION, deno: Deno.version.deno });
    text.family("process_start_time_seconds", "gauge", "Start of the server, in seconds since 1970.")
      .sample(startedAtSeconds);
    const { user, system } = process.cpuUsage();
    text.family("process_cpu_seconds_total", "counter", "CPU time of the process.")
      .sample((user + system) / 1e6);
    text.family("process_resident_memory_bytes", "gauge", "Memory of the process.")
      .sample(Deno.memoryUsage().rss);
  };
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
