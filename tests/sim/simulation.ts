import {
  type LatencyClass,
  Router,
  type Sequence,
  type StepPlan,
  type StepResult,
} from "../../scheduler/mod.ts";
import {
  checkBlocks,
  checkCache,
  checkFilling,
  checkPlan,
  checkPreemptions,
  checkStarts,
  checkStates,
} from "./checks.ts";
import { Client, type EndReason } from "./client.ts";
import { EventQueue } from "./event_queue.ts";
import { Random } from "../../scheduler/testing/random.ts";
import type { Sabotage } from "./sabotage.ts";
import type { Scenario, SimRequest } from "./scenario.ts";
import type { SimClass } from "./sim_class.ts";
import { violate } from "./violation.ts";
import { SimWorker } from "./worker.ts";

/** What a run came to. */
export interface SimReport {
  readonly events: number;
  readonly steps: number;
  readonly accepted: number;
  readonly refused: number;
  readonly ended: Readonly<Record<EndReason, number>>;
  readonly tokens: number;
  readonly computedTokens: number;
  /** Tokens that were guessed, and those of them that were right. */
  readonly guessed: number;
  readonly guessedRight: number;
  readonly preemptions: number;
  readonly deaths: number;
  /** States that were kept, sequences that went on from one, and sequences that lost theirs. */
  readonly snapshots: number;
  readonly stateHits: number;
  readonly lostStates: number;
}

type WaitingByClass = Map<string, { readonly id: number; readonly waitedMs: number }[]>;

/** So many tokens unread and the request is held until half of them are read. */
const UNREAD_MAX = 4;
const RESTART_MS = 30;
/** A run with more events than this never ends. */
const EVENTS_MAX = 400_000;

/**
 * Runs a scenario: clients, a router, workers with schedulers, and time that jumps from event to event.
 * Checks every invariant after every event and throws a Violation for the first that does not hold.
 */
export class Simulation {
  readonly #scenario: Scenario;
  readonly #sabotage: Sabotage;
  readonly #random: Random;
  readonly #events = new EventQueue();
  readonly #clients: Client[];
  readonly #classes: ReadonlyMap<string, LatencyClass>;
  readonly #router: Router;
  #workers: SimWorker[] = [];
  /** Accepted requests that wait for a worker. */
  #homeless: Client[] = [];
  #now = 0;
  #clockOffset = 0;
  #lastFaultAt = 0;
  #hasJumped = false;
  #workerIds = 0;
  #arrived = 0;
  #counts = {
    ...{ events: 0, steps: 0, accepted: 0, refused: 0, tokens: 0, computed: 0, preempted: 0, deaths: 0 },
    ...{ guessed: 0, right: 0, snapshots: 0, stateHits: 0, lostStates: 0 },
  };

  constructor(scenario: Scenario, sabotage: Sabotage = {}) {
    this.#scenario = scenario;
    this.#sabotage = sabotage;
    this.#random = new Random(scenario.seed + 0x5eed);
    this.#classes = new Map(scenario.classes.map((config) => [config.name, config]));
    this.#clients = scenario.requests.map((request) => new Client(request, scenario.blockTokens));
    this.#router = new Router({ deathsMax: sabotage.deathsMax, affinityTokens: scenario.blockTokens });
    for (let i = 0; i < scenario.workers; i++) this.#startWorker();
    for (const client of this.#clients) this.#events.add(client.request.arriveAt, () => this.#arrive(client));
    for (let i = 0; i < scenario.faults.jumps; i++) {
      this.#events.add(this.#random.next() * this.#lastArrival(), () => this.#jump());
    }
  }

  /** Runs to the end, or for so many steps. */
  run(stepsMax = Infinity): SimReport {
    const counts = this.#counts;
    while (!this.#events.isEmpty && counts.steps < stepsMax) {
      if (++counts.events > EVENTS_MAX) violate("no-stall", `more than ${EVENTS_MAX} events`);
      const { at, run } = this.#events.next();
      this.#now = at;
      run();
      this.#check();
    }
    if (this.#events.isEmpty) this.#checkEnd();
    return this.#report();
  }

  get #clock(): number {
    return this.#now + this.#clockOffset;
  }

  #lastArrival(): number {
    return this.#scenario.requests.at(-1)?.arriveAt ?? 0;
  }

  /** Faults end with the last arrival: what is left has to come to an end then. */
  #faultsOn(): boolean {
    return this.#arrived < this.#clients.length;
  }

  #startWorker(): void {
    const worker = new SimWorker(this.#workerIds++, {
      scenario: this.#scenario,
      sabotage: this.#sabotage,
      random: this.#random,
      faultsOn: () => this.#faultsOn(),
      tenantOf: (id) => tenantNumber(this.#clients[id].request.tenant),
      classOf: (id) => this.#classOf(id),
      now: this.#now,
    });
    this.#workers.push(worker);
    this.#router.addWorker(worker.id);
    const waiting = this.#homeless;
    this.#homeless = [];
    for (const client of waiting) if (client.isOpen) this.#restore(client);
  }

  #arrive(client: Client): void {
    this.#arrived++;
    const { request } = client;
    const worker = this.#route(client);
    if (worker === null) {
      // Without a worker a server answers 503.
      this.#counts.refused++;
      return;
    }
    const told = this.#sabotage.request?.(request) ?? request;
    const admission = worker.scheduler.submit(told, this.#clock);
    if (!admission.accepted) {
      this.#router.end(request.id);
      this.#counts.refused++;
      const { reason, retryAfterMs } = admission;
      if (
        retryAfterMs !== undefined ? !(retryAfterMs > 0 && retryAfterMs < Infinity) : reason === "queue-full"
      ) {
        violate("queue-bounds", `request ${request.id} (${reason}) may try again after ${retryAfterMs} ms`);
      }
      return;
    }
    client.isAccepted = true;
    this.#counts.accepted++;
    this.#checkQueue(worker, request);
    if (request.abortAt !== undefined) this.#events.add(request.abortAt, () => this.#abort(client));
    this.#kick(worker);
  }

  #route(client: Client): SimWorker | null {
    const { id, tenant, tokens, maxTokens } = client.request;
    const priority = this.#classOf(id).config.priority;
    const expectedTokens = maxTokens - client.emitted.length;
    const worker = this.#router.route({
      id,
      tenant,
      tokens: [...tokens, ...client.emitted],
      priority,
      expectedTokens,
    });
    return this.#workers.find((each) => each.id === worker) ?? null;
  }

  /** Gives a request whose worker is gone to another one, with what it has said so far. */
  #restore(client: Client): void {
    const worker = this.#route(client);
    if (worker === null) {
      this.#homeless.push(client);
      return;
    }
    const { request } = client;
    const emitted = this.#sabotage.forgetsEmitted ? [] : client.emitted;
    const told = this.#sabotage.request?.(request) ?? request;
    worker.scheduler.restore(
      { ...told, tokens: [...request.tokens, ...emitted] },
      emitted.length,
      this.#clock,
    );
    worker.scheduler.setPaused(request.id, client.unread >= UNREAD_MAX);
    this.#kick(worker);
  }

  #abort(client: Client): void {
    if (!client.isOpen) return;
    client.end("abort");
    if (this.#sabotage.ignoresCancel) return;
    this.#router.end(client.request.id);
    for (const worker of this.#workers) {
      if (worker.scheduler.cancel(client.request.id)) this.#kick(worker);
    }
  }

  #jump(): void {
    this.#clockOffset += this.#random.pick([-3_600_000, -1000, -20, 20, 1000, 3_600_000]);
    this.#hasJumped = true;
    this.#lastFaultAt = this.#now;
  }

  /** Plans and starts a step, if none is under way. */
  #kick(worker: SimWorker): void {
    if (!worker.isAlive || worker.plan !== null) return;
    const waiting = this.#waitingForCompany(worker);
    const plan = worker.scheduler.plan(this.#clock);
    this.#counts.preempted += plan.preempted.length;
    for (const id of plan.expired) this.#end(worker, id, "deadline");
    this.#checkPlan(worker, plan, waiting);
    if (plan.items.length === 0) {
      if (plan.waitMs === undefined || this.#sabotage.ignoresWait) return;
      this.#events.add(this.#now + Math.max(plan.waitMs, 0.01), () => this.#kick(worker));
      return;
    }
    this.#counts.steps++;
    worker.plan = plan;
    const ms = this.#stepMs(plan);
    this.#planFate(worker, plan, ms);
  }

  #stepMs({ load }: StepPlan): number {
    const { cost, faults } = this.#scenario;
    const noise = 1 + cost.noise * (2 * this.#random.next() - 1);
    const isStalled = this.#faultsOn() && this.#random.chance(faults.stall);
    return (cost.a + cost.b * load.tokens + cost.c * load.kv) * noise * (isStalled ? 10 : 1);
  }

  /** Decides how a step ends: well, twice, interrupted, or with its worker. */
  #planFate(worker: SimWorker, plan: StepPlan, ms: number): void {
    const { faults } = this.#scenario;
    const random = this.#random;
    const at = this.#now + ms;
    const isPoisoned = plan.items.some(({ id }) => this.#clients[id].request.isPoison);
    if (isPoisoned || this.#faultsOn() && random.chance(faults.death)) {
      this.#events.add(this.#now + ms * random.next(), () => this.#die(worker, plan));
      // What it had computed may still be on its way when another worker has taken over.
      if (!isPoisoned) this.#events.add(at + random.next() * 100, () => this.#arriveLate(worker, plan));
      return;
    }
    if (this.#faultsOn() && random.chance(faults.abandon)) {
      this.#events.add(at, () => this.#interrupt(worker, plan));
      return;
    }
    this.#events.add(at, () => this.#finish(worker, plan, ms));
  }

  #finish(worker: SimWorker, plan: StepPlan, ms: number): void {
    worker.plan = null;
    const results = worker.compute(plan);
    for (const { count, draft } of plan.items) {
      this.#counts.computed += count + draft.length;
      this.#counts.guessed += draft.length;
    }
    for (const { guessed = 0 } of results) this.#counts.right += guessed;
    for (const { id } of plan.items) worker.starvation.serve(id, this.#now);
    this.#deliver(worker, plan, results, ms);
    if (this.#faultsOn() && this.#random.chance(this.#scenario.faults.duplicate)) {
      const delay = this.#random.next() * 50;
      this.#events.add(this.#now + delay, () => worker.isAlive && this.#deliver(worker, plan, results, ms));
    }
    this.#kick(worker);
  }

  /** Passes on what a step has chosen. */
  #deliver(worker: SimWorker, plan: StepPlan, results: readonly StepResult[], ms: number): void {
    const ended = worker.scheduler.complete(plan.step, results, ms, this.#clock);
    if (ended === null && !this.#sabotage.passesDuplicates) return;
    for (const { id, token, more = [] } of results) {
      if (!this.#sabotage.ignoresOwner && !this.#router.owns(worker.id, id)) continue;
      const client = this.#clients[id];
      for (const each of [token!, ...more]) {
        client.receive(each);
        this.#counts.tokens++;
        this.#router.progress(id, client.request.maxTokens - client.emitted.length);
        this.#read(worker, client);
      }
    }
    for (const id of ended ?? []) this.#end(worker, id, "done");
  }

  /** Lets a slow reader read; holds the request while it is behind. */
  #read(worker: SimWorker, client: Client): void {
    const { id, readMs } = client.request;
    if (readMs === 0) {
      client.unread = 0;
      return;
    }
    if (client.unread === UNREAD_MAX) worker.scheduler.setPaused(id, true);
    this.#events.add(this.#now + readMs * client.unread, () => {
      client.unread--;
      if (client.unread !== UNREAD_MAX / 2) return;
      for (const each of this.#workers) {
        each.scheduler.setPaused(id, false);
        this.#kick(each);
      }
    });
  }

  #end(worker: SimWorker, id: number, reason: EndReason): void {
    if (!this.#sabotage.ignoresOwner && !this.#router.owns(worker.id, id) && !this.#sabotage.ignoresCancel) {
      return;
    }
    this.#clients[id].end(reason);
    this.#router.end(id);
  }

  #interrupt(worker: SimWorker, plan: StepPlan): void {
    worker.plan = null;
    worker.computePart(plan);
    if (!worker.scheduler.abandon(plan.step)) {
      violate("no-stall", `step ${plan.step} is unknown when it is abandoned`);
    }
    for (const { isRunning } of plan.items as Sequence[]) if (!isRunning) this.#counts.lostStates++;
    this.#lastFaultAt = this.#now;
    this.#kick(worker);
  }

  #die(worker: SimWorker, plan: StepPlan): void {
    this.#counts.deaths++;
    this.#countStates(worker);
    worker.isAlive = false;
    this.#lastFaultAt = this.#now;
    this.#workers = this.#workers.filter((each) => each !== worker);
    const suspects = plan.items.map(({ id }) => id);
    for (const id of suspects) this.#clients[id].deaths++;
    const { replay, quarantined } = this.#router.loseWorker(worker.id, suspects);
    for (const id of quarantined) this.#clients[id].end("quarantine");
    if (!this.#sabotage.losesReplays) { for (const id of replay) this.#restore(this.#clients[id]); }
    this.#events.add(this.#now + RESTART_MS, () => this.#startWorker());
  }

  #arriveLate(worker: SimWorker, plan: StepPlan): void {
    this.#deliver(worker, plan, worker.compute(plan), 1);
  }

  #classOf(id: number): SimClass {
    const client = this.#clients[id];
    return { client, config: this.#classes.get(client.request.class)! };
  }

  /** The queues of classes that may still wait for company; empty where something of the class runs. */
  #waitingForCompany(worker: SimWorker): WaitingByClass {
    const queues: WaitingByClass = new Map();
    if (this.#hasJumped) return queues;
    for (const { name, maxWaitMs } of this.#scenario.classes) if (maxWaitMs > 0) queues.set(name, []);
    for (const { id, hasStarted } of worker.scheduler.sequences()) {
      const { client: { request }, config: { name } } = this.#classOf(id);
      if (hasStarted) queues.delete(name);
      queues.get(name)?.push({ id, waitedMs: this.#now - request.arriveAt });
    }
    return queues;
  }

  #checkPlan(worker: SimWorker, plan: StepPlan, waiting: WaitingByClass): void {
    const byId = (id: number) => this.#classOf(id);
    checkPlan(plan, this.#scenario);
    checkFilling(worker, plan, byId);
    checkPreemptions(worker, plan, byId);
    checkStarts(waiting, plan, byId);
    for (const { id } of plan.items) {
      if (this.#clients[id].deaths >= 2) {
        violate("quarantine", `request ${id} is computed after ${this.#clients[id].deaths} deaths`);
      }
    }
  }

  #checkQueue(worker: SimWorker, request: SimRequest): void {
    const { queueLimit, name } = this.#classes.get(request.class)!;
    const stats = worker.scheduler.stats().find((each) => each.name === name)!;
    if (stats.waiting > queueLimit.requests || stats.waitingTokens > queueLimit.tokens) {
      violate("queue-bounds", `${stats.waiting} requests with ${stats.waitingTokens} tokens wait in ${name}`);
    }
  }

  #check(): void {
    for (const worker of this.#workers) {
      checkBlocks(worker);
      checkStates(worker);
      if (this.#counts.events % 16 === 0) checkCache(worker);
      worker.starvation.check(worker.scheduler, this.#now, this.#lastFaultAt);
    }
  }

  #checkEnd(): void {
    for (const { isOpen, request } of this.#clients) {
      if (isOpen) violate("no-stall", `request ${request.id} has not ended and nothing goes on`);
    }
    for (const worker of this.#workers) {
      this.#countStates(worker);
      checkCache(worker);
      if (worker.scheduler.isBusy) violate("no-stall", `worker ${worker.id} is busy and does nothing`);
      worker.cache.evict(worker.allocator.blocks);
      const { freeBlocks, blocks } = worker.allocator;
      if (freeBlocks !== blocks) {
        violate("blocks-conserve", `${freeBlocks} of ${blocks} blocks are free in the end`);
      }
    }
  }

  #countStates({ scheduler: { states } }: SimWorker): void {
    this.#counts.snapshots += states?.kept ?? 0;
    this.#counts.stateHits += states?.hits ?? 0;
  }

  #report(): SimReport {
    const {
      events,
      steps,
      accepted,
      refused,
      tokens,
      computed,
      preempted,
      deaths,
      guessed,
      right,
      ...states
    } = this.#counts;
    const ended = { done: 0, abort: 0, deadline: 0, quarantine: 0 };
    for (const { endReason } of this.#clients) if (endReason !== null) ended[endReason]++;
    return {
      events,
      steps,
      accepted,
      refused,
      ended,
      tokens,
      computedTokens: computed,
      guessed,
      guessedRight: right,
      preemptions: preempted,
      deaths,
      ...states,
    };
  }
}

function tenantNumber(tenant: string): number {
  return tenant.charCodeAt(0);
}
