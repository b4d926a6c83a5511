/** What the router needs to know of a request. */
export interface RoutedRequest {
  readonly id: number;
  readonly tenant: string;
  /** Priority of its latency class. */
  readonly priority: number;
  /**
   * Prompt, and what has been generated if it ran before: tokens, or units of a text that nobody has
   * tokenized yet.
   */
  readonly tokens: ArrayLike<number>;
  /** Entries of `tokens` that make one token, about. Default 1. */
  readonly unitsPerToken?: number;
  /** Tokens that are still to be generated, as far as known. */
  readonly expectedTokens: number;
}

/** What becomes of the requests of a worker that has ended. */
export interface WorkerLoss {
  /** To be routed again, with their prompt and what they have generated. */
  readonly replay: readonly number[];
  /** To be ended with an error: workers died of them. */
  readonly quarantined: readonly number[];
}

/** Settings of a router. */
export interface RouterOptions {
  /** So many workers may die while computing a request; then it is not tried again. Default 2. */
  readonly deathsMax?: number;
  /** Prefixes are compared at multiples of this many tokens. Default 64. */
  readonly affinityTokens?: number;
  /** Most prefixes that are remembered. Default 16,384. */
  readonly prefixesMax?: number;
}

interface Assignment {
  readonly worker: number;
  readonly priority: number;
  /** Tokens of the prompt whose KV entries the worker probably does not have. */
  readonly promptTokens: number;
  cost: number;
}

/** Share of its cost with which work of lower priority counts: it gives way, but not at once. */
const LOWER_SHARE = 0.25;
/** What a generated token costs, in tokens of a prompt: decode reads all weights for few tokens. */
const DECODE_COST = 4;

/**
 * Chooses a worker for each request: where its prefix is probably cached, unless the work that waits there
 * outweighs computing the prefix again. Knows who computes what, so that nothing is lost with a worker and
 * nothing is taken from one that was given up.
 */
export class Router {
  readonly #deathsMax: number;
  readonly #affinityTokens: number;
  readonly #prefixesMax: number;
  /** Cost of the work at each worker, by priority. */
  readonly #workers = new Map<number, Map<number, number>>();
  readonly #assignments = new Map<number, Assignment>();
  readonly #deaths = new Map<number, number>();
  /** Worker that last had a prefix, least recently used first. */
  readonly #prefixes = new Map<string, number>();

  constructor({ deathsMax = 2, affinityTokens = 64, prefixesMax = 16_384 }: RouterOptions = {}) {
    this.#deathsMax = deathsMax;
    this.#affinityTokens = affinityTokens;
    this.#prefixesMax = prefixesMax;
  }

  /** A worker is ready. Ids are never used again: a replacement has one of its own. */
  addWorker(worker: number): void {
    this.#workers.set(worker, new Map());
  }

  /** Chooses a worker and notes that it has the request; null when no worker is ready. */
  route(request: RoutedRequest): number | null {
    const prefixes = this.#prefixKeys(request);
    const decodeCost = request.expectedTokens * DECODE_COST;
    let best: number | null = null, bestCost = Infinity, bestPrompt = 0;
    for (const [worker, work] of this.#workers) {
      const prompt = this.#promptCost(request, prefixes, worker);
      let cost = prompt + decodeCost;
      for (const [priority, tokens] of work) {
        cost += tokens * (priority >= request.priority ? 1 : LOWER_SHARE);
      }
      if (cost < bestCost) [best, bestCost, bestPrompt] = [worker, cost, prompt];
    }
    if (best === null) return null;
    const { id, priority } = request;
    this.#assignments.set(id, { worker: best, priority, promptTokens: bestPrompt, cost: 0 });
    this.#charge(id, bestPrompt + decodeCost);
    this.#remember(prefixes, best);
    return best;
  }

  /** Tokens of its prompt that the worker of a request will have to compute, about. */
  promptTokens(id: number): number {
    return this.#assignments.get(id)?.promptTokens ?? 0;
  }

  /** Whether what this worker says of a request counts: it is alive and the request is its own. */
  owns(worker: number, id: number): boolean {
    return this.#workers.has(worker) && this.#assignments.get(id)?.worker === worker;
  }

  /** Notes that a request has generated tokens. */
  progress(id: number, expectedTokens: number): void {
    const assignment = this.#assignments.get(id);
    if (assignment !== undefined) this.#charge(id, expectedTokens * DECODE_COST - assignment.cost);
  }

  /** Forgets a request that has ended or was refused. */
  end(id: number): void {
    this.#deaths.delete(id);
    const assignment = this.#assignments.get(id);
    if (assignment === undefined) return;
    this.#charge(id, -assignment.cost);
    this.#assignments.delete(id);
  }

  /** A worker has ended. `suspects`: the requests that it was computing, as far as known. */
  loseWorker(worker: number, suspects: readonly number[]): WorkerLoss {
    const replay: number[] = [], quarantined: number[] = [];
    for (const [id, assignment] of this.#assignments) {
      if (assignment.worker !== worker) continue;
      const deaths = (this.#deaths.get(id) ?? 0) + (suspects.includes(id) ? 1 : 0);
      if (deaths > 0) this.#deaths.set(id, deaths);
      (deaths >= this.#deathsMax ? quarantined : replay).push(id);
    }
    this.#workers.delete(worker);
    for (const id of replay) this.#assignments.delete(id);
    for (const id of quarantined) this.end(id);
    for (const [prefix, holder] of this.#prefixes) if (holder === worker) this.#prefixes.delete(prefix);
    return { replay, quarantined };
  }

  /** A request has got further than where workers ended with it: it was not the cause. */
  acquit(id: number): void {
    this.#deaths.delete(id);
  }

  /** Cost of the work that a worker has, in tokens of a prompt. */
  costOf(worker: number): number {
    let cost = 0;
    for (const tokens of this.#workers.get(worker)?.values() ?? []) cost += tokens;
    return cost;
  }

  #charge(id: number, cost: number): void {
    const assignment = this.#assignments.get(id)!;
    assignment.cost += cost;
    const work = this.#workers.get(assignment.worker);
    if (work === undefined) return;
    const { priority } = assignment;
    work.set(priority, (work.get(priority) ?? 0) + cost);
  }

  #promptCost(request: RoutedRequest, prefixes: readonly string[], worker: number): number {
    const known = prefixes.findLastIndex((prefix) => this.#prefixes.get(prefix) === worker) + 1;
    return request.tokens.length / (request.unitsPerToken ?? 1) - known * this.#affinityTokens;
  }

  /** One key for each prefix. A collision only costs time: the worker's own cache compares tokens. */
  #prefixKeys({ tenant, tokens, unitsPerToken = 1 }: RoutedRequest): string[] {
    const keys: string[] = [];
    const stride = this.#affinityTokens * unitsPerToken;
    let a = 0x811c9dc5, b = 0x9e3779b9;
    for (let i = 0; i < tokens.length; i++) {
      a = Math.imul(a ^ tokens[i], 0x01000193);
      b = Math.imul(b + tokens[i], 0x85ebca6b) ^ (b >>> 13);
      if ((i + 1) % stride === 0) keys.push(`${a >>> 0}:${b >>> 0}:${tenant}`);
    }
    return keys;
  }

  #remember(prefixes: readonly string[], worker: number): void {
    for (const prefix of prefixes) {
      this.#prefixes.delete(prefix);
      this.#prefixes.set(prefix, worker);
    }
    for (const prefix of this.#prefixes.keys()) {
      if (this.#prefixes.size <= this.#prefixesMax) break;
      this.#prefixes.delete(prefix);
    }
  }
}
