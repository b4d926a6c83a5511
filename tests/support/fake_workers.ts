import type { Timer } from "../../src/protocol/clock.ts";
import {
  CONTROL_STEP_IDS,
  CONTROL_WORDS,
  ControlWord,
  type FromEngine,
  type ToEngine,
} from "../../src/protocol/messages.ts";
import type { ModelInfo } from "../../src/protocol/model_info.ts";
import type { FinishReason } from "../../src/protocol/answer.ts";
import type { GenerationRequest } from "../../src/protocol/request.ts";
import type { Blame, Transport } from "../../src/client/transport.ts";

/** Time that passes when a test says so. */
export class FakeTimer implements Timer {
  #now = 0;
  readonly #alarms = new Set<{ at: number; every: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  every(ms: number, callback: () => void): () => void {
    const alarm = { at: this.#now + ms, every: ms, callback };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  /** Callbacks that are due come in order, each at its time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = [...this.#alarms].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#now = next.at;
      next.at += next.every;
      next.callback();
    }
    this.#now = end;
  }

  /** Time passes in which this thread does not run: alarms come once, late. */
  sleep(ms: number): void {
    this.#now += ms;
    for (const alarm of [...this.#alarms]) {
      if (alarm.at > this.#now) continue;
      alarm.at = this.#now + alarm.every;
      alarm.callback();
    }
  }
}

export type Behaviour = (message: ToEngine, worker: FakeWorker) => void;

export const FAKE_INFO = { architecture: "llama", vocab: 10, defaultClass: "interactive" } as ModelInfo;

/** Loads, tells figures, and closes; answers no request by itself. */
export function obedient(message: ToEngine, worker: FakeWorker): void {
  if (message.type === "load") worker.loaded();
  if (message.type === "close") worker.say({ type: "closed" });
}

/** The next turn of the event loop: all messages between fake workers and the client have arrived. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** A worker that does what the test says. */
export class FakeWorker implements Transport {
  readonly control = new SharedArrayBuffer(CONTROL_WORDS * Int32Array.BYTES_PER_ELEMENT);
  /** Place among the workers. */
  readonly slot: number;
  /** Number among all that there ever were, from 1; also the id of its native context. */
  readonly number: number;
  readonly sent: ToEngine[] = [];
  isTerminated = false;
  /** Whether it passes for a worker of this process. */
  isLocal = true;
  say: (message: FromEngine) => void = () => {};
  die: (reason: string, blame?: Blame) => void = () => {};
  readonly #words = new Int32Array(this.control);
  readonly #behave: Behaviour;

  constructor(slot: number, number: number, behave: Behaviour) {
    this.slot = slot;
    this.number = number;
    this.#behave = behave;
    this.#words[ControlWord.context] = number;
  }

  post(message: ToEngine): void {
    const { control: _, ...plain } = message as ToEngine & { control?: SharedArrayBuffer };
    this.sent.push(structuredClone(plain) as ToEngine);
    queueMicrotask(() => this.#behave(message, this));
  }

  interrupt(): void {
    this.#words[ControlWord.interrupts]++;
  }

  listen(onMessage: (message: FromEngine) => void, onDeath: (reason: string, blame: Blame) => void): void {
    this.say = onMessage;
    this.die = (reason, blame = "step") => onDeath(reason, blame);
  }

  terminate(): void {
    this.isTerminated = true;
  }

  /** All that was sent of one type. */
  of<T extends ToEngine["type"]>(type: T): Extract<ToEngine, { type: T }>[] {
    return this.sent.filter((message) => message.type === type) as Extract<ToEngine, { type: T }>[];
  }

  get interrupts(): number {
    return this.#words[ControlWord.interrupts];
  }

  loaded(): void {
    this.say({ type: "loaded", info: FAKE_INFO, weights: { matrix: this.number } });
  }

  beat(): void {
    this.#words[ControlWord.heartbeat]++;
  }

  /** A step that computes these requests is under way. */
  beginStep(...ids: number[]): void {
    this.#words.set(ids, CONTROL_STEP_IDS);
    this.#words[ControlWord.stepRequests] = ids.length;
  }

  endStep(): void {
    this.#words[ControlWord.stepRequests] = 0;
  }

  /** Gives tokens to a request; their text is their number. The last ones come with a reason. */
  give(id: number, tokens: number[], finishReason?: FinishReason): void {
    const { request } = this.of("work").find((message) => message.id === id)!;
    const completionTokens = (request.restored?.length ?? 0) + tokens.length;
    const completion = finishReason === undefined ? {} : {
      completion: {
        finishReason,
        usage: { promptTokens: 1, cachedTokens: 0, completionTokens },
        timings: { totalMs: 1 },
        seed: 1,
      },
    };
    this.say({ type: "step", events: [{ id, tokens, text: tokens.join(""), ...completion }] });
  }
}

/** Makes workers and keeps them all. */
export class FakeWorkers {
  readonly all: FakeWorker[] = [];
  readonly #behave: Behaviour;

  constructor(behave: Behaviour = obedient) {
    this.#behave = behave;
  }

  readonly create = (slot: number): FakeWorker => {
    const worker = new FakeWorker(slot, this.all.length + 1, (message, self) => this.#behave(message, self));
    this.all.push(worker);
    return worker;
  };

  /** The newest one in a place. */
  at(slot: number): FakeWorker {
    return this.all.findLast((worker) => worker.slot === slot)!;
  }
}

/** A request of one token after another. */
export function fakeRequest(request: Partial<GenerationRequest> = {}): GenerationRequest {
  return {
    prompt: { text: "" },
    sampling: {} as GenerationRequest["sampling"],
    stop: [],
    stopTokens: [],
    ignoreEnd: false,
    submittedAt: 0,
    class: "interactive",
    tenant: "",
    priority: 0,
    ...request,
  };
}
