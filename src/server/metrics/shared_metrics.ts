import type { ListedModel } from "../models.ts";
import type { AcceptedRequest, FinishedRequest, RefusedRequest, RequestObserver } from "../observer.ts";
import type { SharedModels } from "../residency/shared_models.ts";
import { MetricsText } from "./exposition.ts";
import { ModelMetrics } from "./model_metrics.ts";
import { RequestMetrics } from "./request_metrics.ts";
import { processMetrics, type ProcessMetricsOptions } from "./server_metrics.ts";
import { writeStores } from "./store_metrics.ts";

const STATES = ["unloaded", "waiting", "loading", "ready", "unloading", "failed"] as const;

/** All that `/metrics` tells where models share the memory: of each what a server with one tells, and where it is. */
export class SharedMetrics implements RequestObserver {
  readonly #models: SharedModels;
  readonly #byName = new Map<string, ModelMetrics>();
  /** Requests of no model here: they are refused, or another server answers. */
  readonly #others: RequestMetrics;
  /** Answers under way, and whose they are. */
  readonly #running = new Map<string, RequestMetrics>();
  readonly #writeProcess: (text: MetricsText, tenant: string) => void;

  constructor(models: SharedModels, options: ProcessMetricsOptions) {
    this.#models = models;
    this.#others = new RequestMetrics(options.routes === undefined ? [] : models.classes);
    this.#writeProcess = processMetrics(options);
  }

  /** What is counted of a model. */
  of(name: string): ModelMetrics {
    return this.#byName.getOrInsertComputed(name, () =>
      new ModelMetrics({
        classes: this.#models.classesOf(name),
        source: () => this.#models.hostOf(name)?.loaded ?? null,
      }));
  }

  /** As {@linkcode ServerMetrics.scrape}. Of a model that nobody asked for only its state is told. */
  async scrape(tenant = ""): Promise<string> {
    const all = await Promise.all(
      this.#byName.entries().map(async ([name, metrics]) => {
        return { name, metrics, stats: await metrics.engineStats() };
      }),
    );
    const text = new MetricsText();
    for (const { name, metrics, stats } of all) metrics.write(text.labelled({ model_name: name }), stats);
    this.#others.write(text.labelled({}));
    writeStores(text, all.map(({ stats }) => stats));
    this.#writeResidency(text);
    this.#writeProcess(text, tenant);
    return text.toString();
  }

  accepted(request: AcceptedRequest): void {
    const metrics = this.#requestsOf(request.model);
    this.#running.set(request.id, metrics);
    metrics.accepted(request);
  }

  firstToken(id: string, ttftMs: number): void {
    this.#running.get(id)?.firstToken(id, ttftMs);
  }

  tokens(id: string, count: number, itlMs: number[]): void {
    this.#running.get(id)?.tokens(id, count, itlMs);
  }

  finished(id: string, end: FinishedRequest): void {
    this.#running.get(id)?.finished(id, end);
    this.#running.delete(id);
  }

  refused(request: RefusedRequest): void {
    this.#requestsOf(request.model).refused(request);
  }

  receiptLost(): void {
    this.#others.receiptLost();
  }

  ignored(field: string): void {
    this.#others.ignored(field);
  }

  #requestsOf(name: string | undefined): RequestMetrics {
    return name === undefined ? this.#others : this.of(name).requests;
  }

  #writeResidency(text: MetricsText): void {
    const models = this.#models.list();
    const { figures, memory } = this.#models;
    const each = (
      name: string,
      type: "gauge" | "counter",
      help: string,
      read: (model: ListedModel) => number | undefined,
    ) => {
      text.family(name, type, help);
      for (const model of models) {
        const value = read(model);
        if (value !== undefined) text.sample(value, { model_name: model.name });
      }
    };
    text.family("kumi:model_state", "gauge", "1 for the state that a model is in.");
    for (const { name, state } of models) {
      for (const each of STATES) text.sample(state === each ? 1 : 0, { model_name: name, state: each });
    }
    each(
      "kumi:model_memory_bytes",
      "gauge",
      "Memory that is set aside for a model.",
      (model) => model.heldBytes ?? 0,
    );
    each("kumi:model_waiting_requests", "gauge", "Requests that wait for a model.", ({ waiting }) => waiting);
    each(
      "kumi:model_loads_total",
      "counter",
      "Times that a model was loaded.",
      ({ name }) => figures.of(name).loads,
    );
    each(
      "kumi:model_load_seconds_total",
      "counter",
      "Time that its loads took.",
      ({ name }) => figures.of(name).loadMsSum / 1000,
    );
    each(
      "kumi:model_load_failures_total",
      "counter",
      "Times that it could not be loaded.",
      ({ name }) => figures.of(name).failures,
    );
    text.family("kumi:model_unloads_total", "counter", "Times that a model left memory, by why.");
    for (const { name } of models) {
      for (const [reason, count] of figures.of(name).unloads) {
        text.sample(count, { model_name: name, reason });
      }
    }
    if (memory.budgetBytes !== Infinity) {
      text.family("kumi:models_memory_budget_bytes", "gauge", "Memory that all models together may take.")
        .sample(memory.budgetBytes);
    }
    text.family("kumi:models_memory_bytes", "gauge", "Memory that is set aside for them.")
      .sample(memory.heldBytes);
  }
}
