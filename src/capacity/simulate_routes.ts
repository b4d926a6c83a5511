/** Two places under one load, with the policy that decides between them, in simulated time. @module */

import {
  DEFAULT_CLASSES,
  KnownOutlook,
  type LatencyClass,
  type SchedulerRequest,
} from "../../scheduler/mod.ts";
import type { Arrival } from "../loadtest/arrivals.ts";
import { TokenPromptMaker } from "../loadtest/prompts.ts";
import { randomFrom } from "../loadtest/random.ts";
import { newRecord, type RequestRecord } from "../loadtest/send.ts";
import { type HereOutlook, type Passage, RoutePolicy, type RouteRequest } from "../routing/route_policy.ts";
import { HERE, type RoutingRules } from "../routing/rules.ts";
import { ALPHABET, BLOCK_TOKENS, type SimulatedServer } from "./simulate.ts";
import { SimulatedWorker } from "./worker.ts";

/** What became of a request, where, and what it has cost. */
export interface RoutedRecord extends RequestRecord {
  place: string;
  cost: number;
}

/** What is simulated: a server here, and one upstream. */
export interface SimulatedRoutes {
  readonly here: SimulatedServer;
  readonly there: SimulatedServer;
  /** With one upstream, which has the model. */
  readonly rules: RoutingRules;
  /** Of the steps' chance. Default 1. */
  readonly seed?: number;
}

const MODEL = "model";

/** One place and what it is asked. */
interface Place {
  readonly worker: SimulatedWorker;
  readonly server: SimulatedServer;
}

/**
 * What would become of the requests. Both places are the engine's own scheduler, and the policy is the server's own: it is
 * told what the server here says to new requests, and learns of the upstream only by its answers. Pure: the same
 * arguments give the same records.
 */
export function simulateRoutes(arrivals: readonly Arrival[], routes: SimulatedRoutes): RoutedRecord[] {
  const simulation = new Simulation(arrivals, routes);
  simulation.run();
  return simulation.records;
}

class Simulation {
  readonly records: RoutedRecord[];
  readonly #arrivals: readonly Arrival[];
  readonly #policy: RoutePolicy;
  readonly #classes: readonly LatencyClass[];
  readonly #prompts: TokenPromptMaker;
  readonly #here: Place;
  readonly #there: Place;
  readonly #requests: SchedulerRequest[] = [];
  readonly #passages = new Map<number, Passage>();
  /** Where requests are tried next. */
  readonly #places = new Map<number, string[]>();

  constructor(arrivals: readonly Arrival[], { here, there, rules, seed = 1 }: SimulatedRoutes) {
    this.#arrivals = arrivals;
    this.records = arrivals.map((arrival) => ({ ...newRecord(arrival, arrival.atMs), place: HERE, cost: 0 }));
    this.#policy = new RoutePolicy(rules);
    this.#classes = here.classes ?? DEFAULT_CLASSES;
    this.#prompts = new TokenPromptMaker(ALPHABET, { nonce: seed });
    const random = randomFrom(seed);
    this.#here = this.#place(here, random);
    this.#there = this.#place(there, random);
  }

  run(): void {
    const places = [this.#here, this.#there];
    for (let next = 0;;) {
      const first = places.reduce((a, b) => b.worker.nextAt < a.worker.nextAt ? b : a);
      const arrivesAt = this.#arrivals[next]?.atMs ?? Infinity;
      if (arrivesAt === Infinity && first.worker.nextAt === Infinity) return;
      if (arrivesAt <= first.worker.nextAt) this.#arrive(next++, arrivesAt);
      else first.worker.turn();
    }
  }

  #place(server: SimulatedServer, random: () => number): Place {
    const { tokenMs } = server.step;
    const worker = new SimulatedWorker(
      { ...server, classes: this.#classes, blockTokens: server.blockTokens ?? BLOCK_TOKENS },
      random,
      {
        token: (id, now) => this.#token(id, now + tokenMs),
        cached: (id, tokens) => this.records[id].cachedTokens = tokens,
        refused: (id, now) => this.#refuse(id, now),
        ended: (id, now) => this.#end(id, now + tokenMs),
      },
    );
    return { worker, server };
  }

  #arrive(id: number, now: number): void {
    const { class: name, maxTokens } = this.#arrivals[id];
    const tokens = this.#prompts.make(this.#arrivals[id]);
    this.records[id].promptTokens = tokens.length;
    this.#requests[id] = { id, class: name, tokens, maxTokens };
    const request = this.#routed(id);
    const { places } = this.#policy.decide(request, this.#outlook(request, now), now);
    const [first, ...others] = places;
    this.#places.set(id, others);
    this.#send(id, first, now);
  }

  #routed(id: number): RouteRequest {
    const { class: name, tokens, maxTokens } = this.#requests[id];
    return { model: MODEL, class: name, data: "public", promptTokens: tokens.length, maxTokens };
  }

  /** As the server knows it: by what the engine has said, and what was sent since. */
  #outlook({ class: name, promptTokens, maxTokens }: RouteRequest, now: number): HereOutlook {
    const { classes, underWay } = this.#here.worker.outlook(now);
    const known = new KnownOutlook();
    known.learn(classes.map((each) => ({ ...each, asked: 0 })), now);
    for (const { class: other, tokens, maxTokens } of underWay) {
      known.send({ class: other, tokens: tokens.length, maxTokens });
    }
    const unseen = { class: name, tokens: promptTokens, maxTokens };
    const { ttftSloMs } = this.#classes.find((each) => each.name === name)!;
    return {
      isServed: true,
      refuses: known.refusalFor(unseen, now) !== null,
      ttftMs: known.expectedTtftMs(unseen, now),
      ttftSloMs,
    };
  }

  #send(id: number, place: string, now: number): void {
    this.records[id].place = place;
    if (place !== HERE) this.#passages.set(id, this.#policy.begin(place, this.#routed(id), now));
    const { worker, server } = place === HERE ? this.#here : this.#there;
    worker.take(this.#requests[id], now, now + server.step.requestMs);
  }

  #token(id: number, now: number): void {
    const record = this.records[id];
    record.partsMs.push(now);
    if (record.partsMs.length > 1) return;
    const passage = this.#passages.get(id);
    if (passage !== undefined) passage.noteFirstToken(now);
    else this.#policy.noteHere(this.#routed(id), now - record.sentMs, now);
  }

  /** Nothing was said yet: the next place may take it. */
  #refuse(id: number, now: number): void {
    const record = this.records[id];
    this.#passages.get(id)?.end({ outcome: "busy", retryAfterMs: 0 }, now);
    this.#passages.delete(id);
    const next = this.#places.get(id)!.shift();
    const isOpen = next === HERE || next !== undefined && this.#policy.takes(next, this.#routed(id), now);
    if (isOpen) return this.#send(id, next, now);
    record.outcome = "refused";
    record.status = 429;
    record.endMs = now;
  }

  #end(id: number, now: number): void {
    const record = this.records[id];
    record.outcome = "ok";
    record.status = 200;
    record.endMs = now;
    record.completionTokens = record.partsMs.length;
    const tokens = { promptTokens: record.promptTokens, answerTokens: record.completionTokens };
    record.cost = this.#passages.get(id)?.end({ outcome: "answered", ...tokens }, now) ?? 0;
    this.#passages.delete(id);
  }
}

/** Rules for the model that is simulated, with an upstream of this name. */
export function simulatedRules(
  upstream: Omit<RoutingRules["upstreams"][number], "models" | "data">,
  rules: Omit<RoutingRules, "upstreams"> = {},
): RoutingRules {
  return { ...rules, upstreams: [{ ...upstream, models: [{ name: MODEL }], data: "public" }] };
}
