import type { LatencyClass } from "../../../scheduler/mod.ts";
import type { Histogram, HistogramFigures } from "../../protocol/histogram.ts";
import type { FinishedRequest, RefusedRequest, RequestObserver } from "../observer.ts";
import type { MetricsText } from "./exposition.ts";
import { type Counter, type Family, Registry } from "./registry.ts";
import { LATENCY_SECONDS, TOKEN_COUNTS, TOKEN_SECONDS, withObjectives } from "./buckets.ts";

/** What is known of a request that has not ended. */
interface Running {
  readonly class: string;
  readonly itl: Histogram;
  readonly generated: Counter;
  ttftMs?: number;
  tokens: number;
}

/** What requests of a class were like since the start. Times in seconds. */
export interface ClassRequestFigures {
  readonly ttft: HistogramFigures;
  readonly itl: HistogramFigures;
  readonly generatedTokens: number;
  readonly promptTokens: number;
}

/** Classes that the server does not have, which a client may name at will. */
const OTHER = "other";

/** Counts what a server tells of its requests. Observing a token takes well under a microsecond. */
export class RequestMetrics implements RequestObserver {
  readonly #registry = new Registry();
  readonly #classes: ReadonlyMap<string, LatencyClass>;
  readonly #running = new Map<string, Running>();
  readonly #ttft: Family<Histogram>;
  readonly #itl: Family<Histogram>;
  readonly #tpot: Family<Histogram>;
  readonly #e2e: Family<Histogram>;
  readonly #queue: Family<Histogram>;
  readonly #prefill: Family<Histogram>;
  readonly #decode: Family<Histogram>;
  readonly #promptLengths: Family<Histogram>;
  readonly #answerLengths: Family<Histogram>;
  readonly #promptTokens: Family<Counter>;
  readonly #cachedTokens: Family<Counter>;
  readonly #generatedTokens: Family<Counter>;
  readonly #success: Family<Counter>;
  readonly #embeddings: Family<Counter>;
  readonly #failed: Family<Counter>;
  readonly #refused: Family<Counter>;
  readonly #ignored: Family<Counter>;
  readonly #receiptsLost: Family<Counter>;
  readonly #responses: Family<Counter>;
  readonly #sloRequests: Family<Counter>;
  readonly #sloMet: Family<Counter>;

  /** `classes`: those of the engine; their objectives are bounds of buckets, too. */
  constructor(classes: readonly LatencyClass[]) {
    this.#classes = new Map(classes.map((each) => [each.name, each]));
    const seconds = (pick: (each: LatencyClass) => number | undefined) =>
      classes.flatMap((each) => pick(each) ?? []).map((ms) => ms / 1000);
    const itlBounds = withObjectives(TOKEN_SECONDS, seconds(({ itlSloMs }) => itlSloMs));
    const ttftBounds = withObjectives(LATENCY_SECONDS, seconds(({ ttftSloMs }) => ttftSloMs));
    const time = (name: string, help: string, bounds: readonly number[] = LATENCY_SECONDS) =>
      this.#registry.histogram(`vllm:${name}_seconds`, help, bounds, ["class"]);
    const count = (name: string, help: string, labels: readonly string[] = ["class"]) =>
      this.#registry.counter(name, help, labels);
    const lengths = (name: string, help: string) =>
      this.#registry.histogram(`vllm:${name}`, help, TOKEN_COUNTS, ["class"]);
    this.#ttft = time("time_to_first_token", "From the request to its first token.", ttftBounds);
    this.#itl = time("inter_token_latency", "Between two tokens of an answer.", itlBounds);
    this.#tpot = time(
      "request_time_per_output_token",
      "Mean time between the tokens of an answer.",
      itlBounds,
    );
    this.#e2e = time("e2e_request_latency", "From the request to the end of its answer.");
    this.#queue = time("request_queue_time", "From the request to the first step that computes some of it.");
    this.#prefill = time("request_prefill_time", "From that step to the first token.");
    this.#decode = time("request_decode_time", "From the first token to the end.");
    this.#promptLengths = lengths("request_prompt_tokens", "Tokens of a prompt.");
    this.#answerLengths = lengths("request_generation_tokens", "Tokens of an answer.");
    this.#promptTokens = count("vllm:prompt_tokens_total", "Tokens of prompts of requests that have ended.");
    this.#cachedTokens = count(
      "kumi:cached_prompt_tokens_total",
      "Tokens of those prompts that the prefix cache had.",
    );
    this.#generatedTokens = count("vllm:generation_tokens_total", "Tokens of answers.");
    this.#success = count("vllm:request_success_total", "Answers by why they ended.", [
      "class",
      "finished_reason",
    ]);
    this.#embeddings = count("kumi:embeddings_total", "Embeddings among those answers.");
    this.#failed = count("kumi:requests_failed_total", "Accepted requests that ended with an error.");
    this.#refused = count("kumi:requests_refused_total", "Requests that were not taken.", [
      "class",
      "reason",
    ]);
    this.#ignored = this.#registry.counter(
      "kumi:ignored_fields_total",
      "Fields that are not known and were ignored, by name.",
      ["field"],
    );
    this.#receiptsLost = this.#registry.counter(
      "kumi:audit_receipts_lost_total",
      "Answers whose receipts found no room in the audit.",
      [],
    );
    this.#responses = count("kumi:responses_total", "Ended and refused requests by HTTP status.", [
      "class",
      "status",
    ]);
    const objective = ["class", "objective"];
    this.#sloRequests = count("kumi:slo_requests_total", "Ended requests that have an objective.", objective);
    this.#sloMet = count("kumi:slo_met_total", "Those of them that met it.", objective);
    for (const each of classes) this.#createMembers(each);
  }

  /**
   * Series that exist from the start: a rate over a counter that appears with its first value misses that
   * value.
   */
  #createMembers({ name, ttftSloMs, itlSloMs }: LatencyClass): void {
    for (const reason of ["stop", "length", "abort", "deadline"]) this.#success.of(name, reason);
    this.#failed.of(name);
    this.#generatedTokens.of(name);
    this.#promptTokens.of(name);
    for (const [objective, slo] of Object.entries({ ttft: ttftSloMs, itl: itlSloMs })) {
      if (slo === undefined) continue;
      this.#sloRequests.of(name, objective);
      this.#sloMet.of(name, objective);
    }
  }

  /** Accepted requests that have not ended. */
  get running(): number {
    return this.#running.size;
  }

  accepted(request: { id: string; class: string; promptTokens?: number }): void {
    const name = this.#className(request.class);
    this.#running.set(request.id, {
      class: name,
      itl: this.#itl.of(name),
      generated: this.#generatedTokens.of(name),
      tokens: 0,
    });
  }

  firstToken(id: string, ttftMs: number): void {
    const running = this.#running.get(id);
    if (running === undefined || running.ttftMs !== undefined) return;
    running.ttftMs = ttftMs;
    this.#ttft.of(running.class).observe(ttftMs / 1000);
  }

  tokens(id: string, count: number, itlMs: number[]): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.tokens += count;
    running.generated.add(count);
    for (const ms of itlMs) running.itl.observe(ms / 1000);
  }

  finished(id: string, end: FinishedRequest): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    const { class: name, ttftMs } = running;
    // Tokens that were not told one by one, such as a first one that came alone.
    running.generated.add(Math.max(0, end.completionTokens - running.tokens));
    this.#promptTokens.of(name).add(end.promptTokens);
    this.#cachedTokens.of(name).add(end.cachedTokens);
    if (end.reason === "error") this.#failed.of(name).add();
    else this.#success.of(name, end.reason).add();
    this.#responses.of(name, `${end.status}`).add();
    this.#promptLengths.of(name).observe(end.promptTokens);
    if (end.isEmbedding) this.#embeddings.of(name).add();
    else this.#answerLengths.of(name).observe(end.completionTokens);
    this.#observeTimes(name, ttftMs, end);
    this.#judge(name, ttftMs, end);
  }

  refused({ class: name, reason, status }: Omit<RefusedRequest, "id">): void {
    this.#refused.of(this.#className(name), reason).add();
    this.#responses.of(this.#className(name), `${status}`).add();
  }

  ignored(field: string): void {
    this.#ignored.of(field).add();
  }

  receiptLost(): void {
    this.#receiptsLost.of().add();
  }

  /** Figures of a class since the start, as `/metrics` tells them. */
  figuresOf(name: string): ClassRequestFigures {
    return {
      ttft: this.#ttft.of(name).figures(),
      itl: this.#itl.of(name).figures(),
      generatedTokens: this.#generatedTokens.of(name).value,
      promptTokens: this.#promptTokens.of(name).value,
    };
  }

  write(text: MetricsText): void {
    this.#registry.write(text);
    this.#writeAttainment(text);
  }

  #className(name: string): string {
    return this.#classes.has(name) ? name : OTHER;
  }

  #observeTimes(name: string, ttftMs: number | undefined, end: { queueMs?: number; e2eMs: number }): void {
    const { queueMs, e2eMs } = end;
    this.#e2e.of(name).observe(e2eMs / 1000);
    if (queueMs !== undefined) this.#queue.of(name).observe(queueMs / 1000);
    if (ttftMs === undefined) return;
    if (queueMs !== undefined) this.#prefill.of(name).observe(Math.max(0, ttftMs - queueMs) / 1000);
    this.#decode.of(name).observe((e2eMs - ttftMs) / 1000);
  }

  /**
   * Holds a request against its class's objectives; one whose caller left before its first token says
   * nothing.
   */
  #judge(
    name: string,
    ttftMs: number | undefined,
    end: { reason: string; completionTokens: number; e2eMs: number },
  ): void {
    const { ttftSloMs, itlSloMs } = this.#classes.get(name) ?? {};
    const hasFailed = end.reason === "error";
    const itlMs = end.completionTokens < 2 || ttftMs === undefined
      ? undefined
      : (end.e2eMs - ttftMs) / (end.completionTokens - 1);
    if (itlMs !== undefined) this.#tpot.of(name).observe(itlMs / 1000);
    const judge = (objective: string, slo: number | undefined, ms: number | undefined) => {
      if (slo === undefined || (ms === undefined && !hasFailed)) return;
      this.#sloRequests.of(name, objective).add();
      if (!hasFailed && ms! <= slo) this.#sloMet.of(name, objective).add();
    };
    const hasWaitedInVain = ttftMs === undefined && end.reason === "deadline";
    judge("ttft", ttftSloMs, hasWaitedInVain ? Infinity : ttftMs);
    judge("itl", itlSloMs, itlMs);
  }

  #writeAttainment(text: MetricsText): void {
    text.family(
      "kumi:slo_attainment_ratio",
      "gauge",
      "Share of ended requests that met it, since the start.",
    );
    for (const { name, ttftSloMs, itlSloMs } of this.#classes.values()) {
      for (const [objective, slo] of Object.entries({ ttft: ttftSloMs, itl: itlSloMs })) {
        if (slo === undefined) continue;
        const all = this.#sloRequests.of(name, objective).value;
        text.sample(this.#sloMet.of(name, objective).value / all, { class: name, objective });
      }
    }
  }
}
