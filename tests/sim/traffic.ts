import { Random } from "../../scheduler/testing/random.ts";

/** A request of a traffic that changes. */
export interface TrafficRequest {
  readonly id: number;
  readonly atMs: number;
  readonly class: string;
  readonly tokens: readonly number[];
  /** Most tokens of its answer, as it says. */
  readonly maxTokens: number;
  /** Tokens of its answer, as nobody knows before. */
  readonly outputTokens: number;
}

/** How fast a machine is: ms of a step and of a token, and between two steps. */
export interface TrafficMachine {
  readonly a: number;
  readonly b: number;
  readonly betweenMs: number;
}

/** A machine and what it is sent. */
export interface Traffic {
  readonly name: string;
  readonly workers: number;
  /** What the urgent class promises. */
  readonly ttftSloMs: number;
  /** In order of arrival. */
  readonly requests: readonly TrafficRequest[];
  /** Whether the machine bears all of it, so that no request may be refused. */
  readonly isBearable: boolean;
}

/**
 * Ms of a step: a + b·tokens + c·kv, times up to 1 ± noise, and between two steps. About 135M weights on two
 * cores.
 */
export const MACHINE: TrafficMachine & { readonly c: number; readonly noise: number } = {
  a: 4,
  b: 0.9,
  c: 2e-5,
  noise: 0.1,
  betweenMs: 0.4,
};
/** What the urgent class promises, unless a traffic says otherwise. */
const TTFT_SLO_MS = 3000;
/** Most requests of a class that run together. */
export const MAX_BATCH = 32;

/** A kind of request. */
export interface Kind {
  readonly prompt: number;
  readonly output: number;
  /** What it asks for; default: what it gets. A number of tokens, then, that nobody can know. */
  readonly maxTokens?: number;
  /** Tokens at the beginning of the prompt that all of the kind share. */
  readonly prefix?: number;
  readonly class?: string;
}

/** What a traffic is drawn from. */
interface Draw {
  readonly seed: number;
  readonly machine: TrafficMachine;
  /** How much slower than {@linkcode MACHINE} it is: all times are longer by this. */
  readonly scale: number;
}

/** Writes a traffic down phase by phase. */
class Writer {
  readonly requests: TrafficRequest[] = [];
  readonly random: Random;
  readonly workers: number;
  readonly #machine: TrafficMachine;
  readonly #scale: number;
  #nowMs = 0;
  #words = 0;
  readonly #prefixes = new Map<number, number[]>();

  constructor({ seed, machine, scale }: Draw, workers = 1) {
    this.random = new Random(seed);
    this.workers = workers;
    this.#machine = machine;
    this.#scale = scale;
  }

  /** One user, who asks when the last answer is there. */
  user(kind: Kind, count: number): this {
    const { a, b, betweenMs } = this.#machine;
    for (let i = 0; i < count; i++) {
      this.#add(kind);
      this.#nowMs += 1.2 * (a + b * kind.prompt + kind.output * (a + b + betweenMs)) + 20 * this.#scale;
    }
    return this;
  }

  burst(kind: Kind, count: number): this {
    for (let i = 0; i < count; i++) {
      this.#add(kind);
      this.#nowMs += 0.5 * this.#scale * this.random.next();
    }
    return this;
  }

  idle(ms: number): this {
    this.#nowMs += ms * this.#scale;
    return this;
  }

  /**
   * Arrivals at random, at a share of what the machine can do that goes from `load` to `endLoad`. Kinds
   * alternate at random.
   */
  arrivals(kinds: readonly Kind[], load: number, seconds: number, endLoad = load): this {
    const costMs = kinds.reduce((sum, kind) => sum + requestMs(kind, this.#machine), 0) / kinds.length /
      this.workers;
    const startMs = this.#nowMs, endMs = startMs + 1000 * seconds * this.#scale;
    for (;;) {
      const done = (this.#nowMs - startMs) / (endMs - startMs);
      this.#nowMs += this.random.exponential(costMs / (load + (endLoad - load) * done));
      if (this.#nowMs >= endMs) break;
      this.#add(this.random.pick(kinds));
    }
    this.#nowMs = endMs;
    return this;
  }

  #add({ prompt, output, maxTokens, prefix = 0, class: name = "interactive" }: Kind): void {
    const shared = this.#prefixes.get(prefix) ?? Array.from({ length: prefix }, () => ++this.#words);
    this.#prefixes.set(prefix, shared);
    const own = Array.from({ length: prompt - prefix }, () => ++this.#words);
    // Unknown lengths vary as chance has it.
    const drawn = maxTokens === undefined ? output : Math.ceil(this.random.exponential(output));
    this.requests.push({
      id: this.requests.length,
      atMs: this.#nowMs,
      class: name,
      tokens: [...shared, ...own],
      maxTokens: maxTokens ?? output,
      outputTokens: Math.min(drawn, maxTokens ?? output),
    });
  }
}

/** Ms of the machine that a request takes beside many others. */
export function requestMs({ prompt, output, prefix = 0 }: Kind, machine: TrafficMachine): number {
  const { a, b, betweenMs } = machine;
  return b * (prompt - prefix + output) + output * (a + betweenMs) / MAX_BATCH;
}

const SHORT = { prompt: 24, output: 16 };
export const CHAT = { prompt: 64, output: 48 };
const LONG = { prompt: 64, output: 240 };
const COLD = { prompt: 400, output: 32 };
const WARM = { ...COLD, prefix: 352 };
const READ = { prompt: 480, output: 8 };
const OPEN_SHORT = { prompt: 64, output: 24, maxTokens: 400 };
const OPEN_LONG = { prompt: 64, output: 120, maxTokens: 400 };
const BULK = { prompt: 128, output: 96, class: "batch" };

interface Change {
  /** Whether all of it can be served in time. */
  readonly isBearable?: true;
  readonly ttftSloMs?: number;
  readonly write: (draw: Draw) => Writer;
}

/** How traffic changes, by name. */
const CHANGES: Readonly<Record<string, Change>> = {
  "one user, then a burst": {
    isBearable: true,
    write: (draw) => new Writer(draw).user({ prompt: 24, output: 240 }, 10).burst(SHORT, 64),
  },
  "one user, then a burst too large": {
    write: (draw) => new Writer(draw).user({ prompt: 24, output: 240 }, 10).burst(SHORT, 200),
  },
  "after idle, a burst": {
    isBearable: true,
    write: (draw) => new Writer(draw).arrivals([LONG], 0.5, 20).idle(120_000).burst(SHORT, 64),
  },
  "long answers, then short ones": {
    write: (draw) => new Writer(draw).arrivals([LONG], 0.7, 40).arrivals([SHORT], 2, 20),
  },
  "short answers, then long ones": {
    write: (draw) => new Writer(draw).arrivals([SHORT], 0.7, 30).arrivals([LONG], 2, 30),
  },
  "back and forth": {
    write: (draw) =>
      [LONG, SHORT, LONG, SHORT].reduce((all, kind) => all.arrivals([kind], 1.5, 15), new Writer(draw)),
  },
  "lengths unknown, long to short": {
    write: (draw) => new Writer(draw).arrivals([OPEN_LONG], 0.7, 30).arrivals([OPEN_SHORT], 2, 30),
  },
  "lengths unknown, short to long": {
    write: (draw) => new Writer(draw).arrivals([OPEN_SHORT], 0.7, 30).arrivals([OPEN_LONG], 2, 40),
  },
  "cold prefixes, then a warm one": {
    write: (draw) => new Writer(draw).arrivals([COLD], 0.7, 30).arrivals([WARM], 2, 20),
  },
  "a warm prefix, then cold ones": {
    write: (draw) => new Writer(draw).arrivals([WARM], 0.7, 30).arrivals([COLD], 2, 20),
  },
  "a warm burst after cold prefixes": {
    isBearable: true,
    write: (draw) => new Writer(draw).arrivals([COLD], 0.5, 30).idle(2000).burst(WARM, 24),
  },
  "short prompts, then long ones": {
    write: (draw) => new Writer(draw).arrivals([SHORT], 0.7, 20).arrivals([READ], 2, 30),
  },
  "long prompts, then short ones": {
    write: (draw) => new Writer(draw).arrivals([READ], 0.7, 30).arrivals([SHORT], 2, 20),
  },
  "growing load": { write: (draw) => new Writer(draw).arrivals([CHAT], 0.2, 80, 2.5) },
  "bulk work, then urgent requests": {
    write: (draw) => new Writer(draw).burst(BULK, 60).arrivals([BULK], 0.5, 15).arrivals([CHAT], 2, 25),
  },
  "both classes, twice what it bears": {
    write: (draw) => new Writer(draw).arrivals([CHAT, BULK], 2, 40),
  },
  "three workers, one user, then a burst": {
    isBearable: true,
    write: (draw) => new Writer(draw, 3).user({ prompt: 24, output: 240 }, 10).burst(SHORT, 160),
  },
  "three workers, twice what they bear": {
    write: (draw) => new Writer(draw, 3).arrivals([CHAT], 0.6, 15).arrivals([CHAT], 2, 25),
  },
  "below capacity": {
    isBearable: true,
    write: (draw) => new Writer(draw).arrivals([SHORT, CHAT, LONG, COLD], 0.75, 90),
  },
  "below capacity, lengths unknown": {
    isBearable: true,
    write: (draw) => new Writer(draw).arrivals([OPEN_SHORT, OPEN_LONG], 0.7, 90),
  },
  "twice what it bears": { write: (draw) => new Writer(draw).arrivals([CHAT], 2, 60) },
  "twice what it bears, mixed": {
    write: (draw) => new Writer(draw).arrivals([SHORT, CHAT, LONG, COLD], 2, 60),
  },
  "twice what it bears, lengths unknown": {
    write: (draw) => new Writer(draw).arrivals([OPEN_SHORT, OPEN_LONG], 2, 60),
  },
  // The longer a queue, the more do lengths that nobody knows even out.
  "twice, lengths unknown, 10 s promised": {
    ttftSloMs: 10_000,
    write: (draw) => new Writer(draw).arrivals([OPEN_SHORT, OPEN_LONG], 2, 60),
  },
};

export const TRAFFIC_NAMES: readonly string[] = Object.keys(CHANGES);

/** Writes down one of the {@linkcode TRAFFIC_NAMES}. */
export function createTraffic(name: string, seed: number, machine: TrafficMachine = MACHINE): Traffic {
  const { isBearable = false, ttftSloMs = TTFT_SLO_MS, write } = CHANGES[name];
  const scale = requestMs(CHAT, machine) / requestMs(CHAT, MACHINE);
  const { requests, workers } = write({ seed, machine, scale });
  return { name, workers, ttftSloMs: scale * ttftSloMs, requests, isBearable };
}
