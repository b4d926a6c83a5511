/** The real scheduler and router under a load, in simulated time. @module */

import {
  AnswerLengths,
  checkClasses,
  DEFAULT_CLASSES,
  type LatencyClass,
  Router,
} from "../../scheduler/mod.ts";
import type { Arrival } from "../loadtest/arrivals.ts";
import { TokenPromptMaker } from "../loadtest/prompts.ts";
import { randomFrom } from "../loadtest/random.ts";
import { newRecord, type RequestRecord } from "../loadtest/send.ts";
import type { StepModel } from "./step_model.ts";
import { SimulatedWorker } from "./worker.ts";

/** A server as a simulation has it. */
export interface SimulatedServer {
  readonly step: StepModel;
  readonly workers: number;
  /** Default: a server's. */
  readonly classes?: readonly LatencyClass[];
  /** Most tokens, and most sequences, of a step. */
  readonly batchTokensMax: number;
  readonly sequencesMax: number;
  /** Tokens of each worker's KV cache, and of one of its blocks. */
  readonly kvTokens: number;
  readonly blockTokens?: number;
  readonly prefixCache: boolean;
  /** Of the steps' chance. Default 1. */
  readonly seed?: number;
}

const TIMES = [
  "fixedMs",
  "msPerToken",
  "msPerKvEntry",
  "msPerRow",
  "relativeError",
  "stretch",
  "betweenMs",
  "betweenMsPerSequence",
  "requestMs",
  "tokenMs",
] as const satisfies readonly (keyof StepModel)[];

/** Time that is no number would never end. */
function checkStep(step: StepModel): void {
  const bends = step.bends ?? [];
  for (const [i, { upTo, msPerToken }] of bends.entries()) {
    if (!(upTo > (bends[i - 1]?.upTo ?? 0)) || !(msPerToken >= 0 && msPerToken < 1e9)) {
      throw new RangeError(
        `The step model's bends must rise and have times, current value is ${JSON.stringify(bends)}`,
      );
    }
  }
  // A report's model has other figures, too, such as the bytes of the weights.
  for (const name of TIMES) {
    const value = step[name];
    if (value !== undefined && !(value >= 0 && value < 1e9)) {
      throw new RangeError(`The step model's ${name} must be a time, current value is ${value}`);
    }
  }
}

export const BLOCK_TOKENS = 16;
/** Words of the simulated prompts: enough that no two agree by chance. */
export const ALPHABET = Array.from({ length: 4096 }, (_, i) => i);

/**
 * What would become of the requests: records as of a load test, in the order of arrival. Admission, batching,
 * the prefix cache and preemption are the engine's own code; only the time that steps take comes from the
 * model. Pure: the same arguments give the same records.
 */
export function simulate(arrivals: readonly Arrival[], server: SimulatedServer): RequestRecord[] {
  const { workers: count, classes = DEFAULT_CLASSES, step, seed = 1 } = server;
  checkClasses(classes);
  checkStep(step);
  const random = randomFrom(seed);
  const prompts = new TokenPromptMaker(ALPHABET, { nonce: seed });
  const router = new Router(), lengths = new AnswerLengths();
  const records = arrivals.map((arrival) => newRecord(arrival, arrival.atMs));
  const workers = Array.from(
    { length: count },
    () =>
      new SimulatedWorker({ ...server, classes, blockTokens: server.blockTokens ?? BLOCK_TOKENS }, random, {
        token: (id, now) => {
          const { partsMs } = records[id];
          partsMs.push(now + step.tokenMs);
          router.progress(id, lengths.remaining(partsMs.length, arrivals[id].maxTokens));
        },
        cached: (id, tokens) => records[id].cachedTokens = tokens,
        refused: (id, now) => end(id, now, "refused"),
        ended: (id, now) => end(id, now, "ok"),
      }),
  );
  workers.forEach((_, i) => router.addWorker(i));

  function end(id: number, now: number, outcome: "ok" | "refused"): void {
    const record = records[id];
    record.outcome = outcome;
    record.status = outcome === "ok" ? 200 : 429;
    record.endMs = now + step.tokenMs;
    if (outcome === "ok") {
      record.completionTokens = record.partsMs.length;
      lengths.add(record.completionTokens);
    }
    router.end(id);
  }

  function send(id: number): void {
    const { atMs, class: name, maxTokens } = arrivals[id];
    const tokens = prompts.make(arrivals[id]);
    records[id].promptTokens = tokens.length;
    const priority = classes.find((each) => each.name === name)?.priority;
    if (priority === undefined) {
      throw new RangeError(
        `A request is of class "${name}", the server has ${classes.map((each) => each.name).join(", ")}`,
      );
    }
    const expectedTokens = lengths.remaining(0, maxTokens);
    const worker = router.route({ id, tenant: "", priority, tokens, expectedTokens })!;
    workers[worker].take({ id, class: name, tokens, maxTokens }, atMs, atMs + step.requestMs);
  }

  for (let next = 0;;) {
    let first = workers[0];
    for (const worker of workers) if (worker.nextAt < first.nextAt) first = worker;
    const arrivesAt = arrivals[next]?.atMs ?? Infinity;
    if (arrivesAt === Infinity && first.nextAt === Infinity) return records;
    if (arrivesAt <= first.nextAt) send(next++);
    else first.turn();
  }
}
