/** Requests for models that do not fit into memory together, in simulated time. */

import { type ResidentAction, Residents } from "../mod.ts";
import { Random } from "./random.ts";

export interface MemoryScenario {
  readonly seed: number;
  /** Of the loads that fail. */
  readonly failureShare: number;
  /** Of the requests that wait for so long only. */
  readonly deadlineShare: number;
  /** Whether the memory becomes less for a while. */
  readonly shrinks?: boolean;
  /** Mean time between requests. */
  readonly pauseMs?: number;
  readonly requests?: number;
}

export interface MemoryOutcome {
  readonly requests: number;
  readonly served: number;
  /** Requests that waited as long as they would. */
  readonly left: number;
  /** Requests for models that could not be loaded. */
  readonly failed: number;
  readonly waited: number;
  readonly waitMsMax: number;
  readonly loads: number;
  readonly unloads: number;
  readonly heldBytesMax: number;
  readonly budgetBytes: number;
}

interface Request {
  readonly name: string;
  readonly at: number;
  readonly workMs: number;
  readonly patienceMs: number;
  ticket: number;
  outcome?: "served" | "left" | "failed";
  isTaken: boolean;
}

const BUDGET = 100;
/** Each alone does, b and c together do, a with either does not. */
const SIZES: Readonly<Record<string, number>> = { a: 70, b: 40, c: 50 };
const LOAD_MS_PER_BYTE = 30;
const UNLOAD_MS = 20;
const MEASURE_MS = 50;
const REQUESTS = 150;
const PAUSE_MS = 400;

/** Throws an Error where the policy does what must never happen. */
export function simulateMemory(scenario: MemoryScenario): MemoryOutcome {
  return new MemorySimulation(scenario).run();
}

class MemorySimulation {
  readonly #scenario: MemoryScenario;
  readonly #random: Random;
  readonly #residents: Residents;
  /** Sorted when one is taken. */
  readonly #events: { at: number; run: () => void }[] = [];
  readonly #requests: Request[] = [];
  /** Bytes by model, as a real memory would have them: counted apart from the policy. */
  readonly #memory = new Map<string, number>();
  readonly #waits: number[] = [];
  #now = 0;
  #wakeAt = Infinity;
  #loads = 0;
  #unloads = 0;
  #heldMax = 0;

  constructor(scenario: MemoryScenario) {
    this.#scenario = scenario;
    this.#random = new Random(scenario.seed);
    const keepAliveMs = this.#random.next() < 0.5 ? undefined : 1000 * this.#random.next();
    this.#residents = new Residents({ budgetBytes: BUDGET, keepAliveMs });
  }

  run(): MemoryOutcome {
    this.#plan();
    while (this.#events.length > 0) {
      this.#events.sort((a, b) => b.at - a.at);
      const { at, run } = this.#events.pop()!;
      this.#now = at;
      run();
      this.#settle();
    }
    const open = this.#requests.find(({ outcome }) => outcome === undefined);
    if (open !== undefined) throw new Error(`A request was forgotten: ${JSON.stringify(open)}`);
    return this.#outcome();
  }

  #outcome(): MemoryOutcome {
    const count = (wanted: Request["outcome"]) =>
      this.#requests.filter(({ outcome }) => outcome === wanted).length;
    return {
      requests: this.#requests.length,
      served: count("served"),
      left: count("left"),
      failed: count("failed"),
      waited: this.#waits.filter((ms) => ms > 0).length,
      waitMsMax: Math.max(0, ...this.#waits),
      loads: this.#loads,
      unloads: this.#unloads,
      heldBytesMax: this.#heldMax,
      budgetBytes: BUDGET,
    };
  }

  #plan(): void {
    const { requests = REQUESTS, pauseMs = PAUSE_MS, deadlineShare, shrinks } = this.#scenario;
    let at = 0;
    for (let i = 0; i < requests; i++) {
      at += -Math.log(1 - this.#random.next()) * pauseMs * (this.#random.next() < 0.05 ? 20 : 1);
      const name = Object.keys(SIZES)[Math.floor(this.#random.next() * 3)];
      const workMs = -Math.log(1 - this.#random.next()) * 800;
      const patienceMs = this.#random.next() < deadlineShare ? this.#random.next() * 6000 : Infinity;
      const request: Request = { name, at, workMs, patienceMs, ticket: 0, isTaken: false };
      this.#requests.push(request);
      this.#at(at, () => this.#arrive(request));
    }
    if (!shrinks) return;
    this.#at(at * 0.3, () => this.#residents.budgetBytes = 60);
    this.#at(at * 0.6, () => this.#residents.budgetBytes = BUDGET);
  }

  #arrive(request: Request): void {
    if (this.#residents.failedUntil(request.name, this.#now) !== undefined) {
      request.outcome = "failed";
      return;
    }
    request.ticket = this.#residents.ask(request.name, this.#now);
    if (request.patienceMs === Infinity) return;
    this.#at(this.#now + request.patienceMs, () => {
      if (request.isTaken || request.outcome !== undefined) return;
      request.outcome = "left";
      this.#residents.leave(request.name, request.ticket);
    });
  }

  /** Does what the policy says until it says nothing more. */
  #settle(): void {
    for (let turn = 0;; turn++) {
      if (turn > 1000) throw new Error("The policy comes to no end");
      this.#takeAll();
      const actions = this.#residents.next(this.#now);
      for (const action of actions) this.#do(action);
      this.#check();
      if (actions.length === 0) break;
    }
    this.#takeAll();
    const wakeAt = this.#residents.wakeAt(this.#now) ?? Infinity;
    if (wakeAt === Infinity || wakeAt === this.#wakeAt) return;
    this.#wakeAt = wakeAt;
    this.#at(wakeAt, () => {});
  }

  #takeAll(): void {
    for (const request of this.#requests) {
      if (request.ticket === 0 || request.isTaken || request.outcome !== undefined) continue;
      if (!this.#residents.isOpen(request.name)) continue;
      if (!this.#memory.has(request.name)) throw new Error(`${request.name} is not in memory`);
      this.#residents.take(request.name, request.ticket, this.#now);
      request.isTaken = true;
      this.#waits.push(this.#now - request.at);
      this.#at(this.#now + request.workMs, () => {
        if (!this.#memory.has(request.name)) throw new Error(`${request.name} left while it was in use`);
        request.outcome = "served";
        this.#residents.release(request.name, this.#now);
      });
    }
  }

  #do({ kind, name }: ResidentAction): void {
    const residents = this.#residents;
    const fails = () => this.#random.next() < this.#scenario.failureShare;
    switch (kind) {
      case "measure":
        return this.#at(this.#now + MEASURE_MS, () => {
          if (fails()) this.#fail(name);
          else residents.measured(name, SIZES[name]);
        });
      case "load":
        this.#loads++;
        this.#memory.set(name, SIZES[name]);
        return this.#at(this.#now + SIZES[name] * LOAD_MS_PER_BYTE, () => {
          if (!fails()) return residents.loaded(name, this.#now);
          this.#memory.delete(name);
          this.#fail(name);
        });
      case "unload":
        this.#unloads++;
        return this.#at(this.#now + UNLOAD_MS, () => {
          this.#memory.delete(name);
          residents.unloaded(name);
        });
      case "refuse":
        return this.#failWaiting(name);
    }
  }

  #fail(name: string): void {
    this.#residents.failed(name, this.#now);
    this.#failWaiting(name);
  }

  #failWaiting(name: string): void {
    for (const request of this.#requests) {
      if (request.name !== name || request.ticket === 0 || request.isTaken || request.outcome) continue;
      request.outcome = "failed";
      this.#residents.leave(name, request.ticket);
    }
  }

  #check(): void {
    const held = this.#memory.values().reduce((sum, bytes) => sum + bytes, 0);
    if (held > BUDGET) throw new Error(`${held} of ${BUDGET} bytes are in use`);
    if (held !== this.#residents.heldBytes) {
      throw new Error(`${held} bytes are in use, the policy counts ${this.#residents.heldBytes}`);
    }
    this.#heldMax = Math.max(this.#heldMax, held);
  }

  #at(at: number, run: () => void): void {
    this.#events.push({ at, run });
  }
}
