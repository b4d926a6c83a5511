import type { Histogram } from "../../protocol/histogram.ts";
import type { UpstreamFigures } from "../../routing/upstream_state.ts";
import { LATENCY_SECONDS } from "./buckets.ts";
import type { MetricsText } from "./exposition.ts";
import { type Counter, type Family, Registry } from "./registry.ts";

/** Tokens that passed, as the upstream told and as they were counted. */
export interface RouteTokens {
  readonly promptTokens: number;
  readonly answerTokens: number;
}

/** Counts where requests are answered. Routes are "here" and the names of upstreams. */
export class RouteMetrics {
  readonly #registry = new Registry();
  readonly #requests: Family<Counter>;
  readonly #failures: Family<Counter>;
  readonly #retries: Family<Counter>;
  readonly #tokens: Family<Counter>;
  readonly #doubted: Family<Counter>;
  readonly #cost: Family<Counter>;
  readonly #ttft: Family<Histogram>;
  readonly #figures: () => readonly UpstreamFigures[];

  /** `figures`: of the upstreams at the moment. */
  constructor(figures: () => readonly UpstreamFigures[]) {
    const count = (name: string, help: string, labels: readonly string[]) =>
      this.#registry.counter(name, help, labels);
    this.#figures = figures;
    this.#requests = count("kumi:route_requests_total", "Requests by where they went and why.", [
      "route",
      "reason",
      "class",
    ]);
    this.#failures = count(
      "kumi:route_failures_total",
      "Requests that a place did not answer, by what was wrong.",
      [
        "route",
        "kind",
      ],
    );
    this.#retries = count("kumi:route_retries_total", "Requests that another place took then.", [
      "from",
      "to",
    ]);
    this.#tokens = count("kumi:route_tokens_total", "Tokens that upstreams told of, and that were counted.", [
      "route",
      "kind",
      "source",
    ]);
    this.#doubted = count("kumi:route_doubted_answers_total", "Answers with a usage that cannot be right.", [
      "route",
    ]);
    this.#cost = count("kumi:route_cost_total", "What answers have cost.", ["route"]);
    this.#ttft = this.#registry.histogram(
      "kumi:route_time_to_first_token_seconds",
      "From sending a request to an upstream to its first token.",
      LATENCY_SECONDS,
      ["route"],
    );
    for (const { name } of figures()) this.#cost.of(name);
  }

  went(route: string, reason: string, name: string): void {
    this.#requests.of(route, reason, name).add();
  }

  failed(route: string, kind: string): void {
    this.#failures.of(route, kind).add();
  }

  retried(from: string, to: string): void {
    this.#retries.of(from, to).add();
  }

  firstToken(route: string, ttftMs: number): void {
    this.#ttft.of(route).observe(ttftMs / 1000);
  }

  passed(route: string, counted: RouteTokens, told: RouteTokens | undefined, isDoubted: boolean): void {
    for (const [source, tokens] of Object.entries({ counted, told })) {
      if (tokens === undefined) continue;
      this.#tokens.of(route, "prompt", source).add(tokens.promptTokens);
      this.#tokens.of(route, "answer", source).add(tokens.answerTokens);
    }
    if (isDoubted) this.#doubted.of(route).add();
  }

  cost(route: string, amount: number): void {
    this.#cost.of(route).add(amount);
  }

  /** Of the upstreams at the moment. */
  figures(): readonly UpstreamFigures[] {
    return this.#figures();
  }

  write(text: MetricsText): void {
    this.#registry.write(text);
    const figures = this.#figures();
    text.family("kumi:route_running", "gauge", "Requests that an upstream answers at the moment.");
    for (const { name, running } of figures) text.sample(running, { route: name });
    text.family("kumi:route_up", "gauge", "1 where an upstream is well and its circuit closed.");
    for (const { name, isHealthy, breaker } of figures) {
      text.sample(isHealthy && breaker === "closed" ? 1 : 0, { route: name });
    }
    text.family("kumi:route_spent", "gauge", "What answers have cost in the last hour and the last day.");
    for (const { name, spent } of figures) {
      text.sample(spent.lastHour, { route: name, window: "hour" });
      text.sample(spent.lastDay, { route: name, window: "day" });
    }
  }
}
