/** Models that share a memory which does not hold all of them. */

/** Where a model is. Only "loading", "ready" and "unloading" take memory. */
export type ResidentState = "absent" | "measuring" | "loading" | "ready" | "unloading";

/** Why a model leaves: for another one, since nobody has asked for it for long, or since somebody said so. */
export type UnloadReason = "room" | "idle" | "asked";

/** What is to be done now; the caller tells when it is done. */
export type ResidentAction =
  /** Find out what it takes: `measured()` or `failed()` follows. */
  | { readonly kind: "measure"; readonly name: string }
  /** `loaded()` or `failed()` follows. */
  | { readonly kind: "load"; readonly name: string }
  /** Nobody uses it: `unloaded()` follows. */
  | { readonly kind: "unload"; readonly name: string; readonly reason: UnloadReason }
  /** It is larger than all of the memory: those who wait for it are to be told. */
  | { readonly kind: "refuse"; readonly name: string };

export interface ResidentsOptions {
  /** Bytes that all models together may take. */
  readonly budgetBytes: number;
  /** Ms after its last use at which a model leaves, unless a use says another time; default: never. */
  readonly keepAliveMs?: number;
  /**
   * A model that others are waiting to replace takes new uses for at least so long, and they wait at least so
   * long: between models that are all in use memory changes hands at this pace. Ms, default 5000.
   */
  readonly turnMs?: number;
  /** Ms until a model that could not be loaded is tried again; twice as long each time. Default 1000. */
  readonly retryMs?: number;
}

/** A model that takes memory. */
export interface ResidentFigures {
  readonly name: string;
  readonly bytes: number;
  readonly uses: number;
}

/** Why a model is not being loaded, for the message. */
export interface RoomReport {
  readonly needBytes: number;
  readonly budgetBytes: number;
  readonly freeBytes: number;
  /** What would have to leave, the one that left first in front; empty where nothing would help or need be done. */
  readonly wouldGo: readonly ResidentFigures[];
}

interface Resident {
  readonly name: string;
  state: ResidentState;
  /** Undefined: not known; only the absent and the measured do without. */
  bytes: number | undefined;
  uses: number;
  /** Those who wait, by ticket: when they came, in that order. */
  readonly tickets: Map<number, number>;
  readySince: number;
  lastUsedAt: number;
  keepAliveMs: number;
  /** Takes no new uses: another one waits for its memory. */
  isClosed: boolean;
  isUnwanted: boolean;
  failures: number;
  retryAt: number;
}

const RETRY_MS_MAX = 60_000;

/**
 * Decides which models are in memory: they are loaded when somebody asks, one after another in the order of
 * asking, and leave in the order of their last use when another one needs their room, or after a time. What
 * is in use never leaves. Pure: `next()` says what to do, and the caller says when something has happened;
 * times are in ms of any clock that never goes back.
 */
export class Residents {
  budgetBytes: number;
  readonly #keepAliveMs: number;
  readonly #turnMs: number;
  readonly #retryMs: number;
  readonly #all = new Map<string, Resident>();
  #nextTicket = 1;

  constructor({ budgetBytes, keepAliveMs = Infinity, turnMs = 5000, retryMs = 1000 }: ResidentsOptions) {
    this.budgetBytes = budgetBytes;
    this.#keepAliveMs = keepAliveMs;
    this.#turnMs = turnMs;
    this.#retryMs = retryMs;
  }

  /** Bytes that models take, those under way in or out included. */
  get heldBytes(): number {
    let sum = 0;
    for (const { state, bytes } of this.#all.values()) if (takesMemory(state)) sum += bytes!;
    return sum;
  }

  stateOf(name: string): ResidentState {
    return this.#all.get(name)?.state ?? "absent";
  }

  /** Bytes that a model takes, where that was measured. */
  bytesOf(name: string): number | undefined {
    return this.#all.get(name)?.bytes;
  }

  /** How many use a model, and how many wait for it. */
  demandOf(name: string): { readonly uses: number; readonly waiting: number } {
    const resident = this.#all.get(name);
    return { uses: resident?.uses ?? 0, waiting: resident?.tickets.size ?? 0 };
  }

  /** The ready model that was used last; undefined where none is ready. */
  get lastUsed(): string | undefined {
    const ready = this.#all.values().filter(({ state }) => state === "ready").toArray();
    return ready.sort((a, b) => b.uses - a.uses || b.lastUsedAt - a.lastUsedAt)[0]?.name;
  }

  /** When a model leaves if nobody asks for it any more; undefined where it is not ready. */
  leavesAt(name: string): number | undefined {
    const resident = this.#all.get(name);
    return resident?.state === "ready" ? resident.lastUsedAt + resident.keepAliveMs : undefined;
  }

  /** Until when a model that could not be loaded is not tried again; undefined where it may be. */
  failedUntil(name: string, now: number): number | undefined {
    const retryAt = this.#all.get(name)?.retryAt ?? -Infinity;
    return retryAt > now ? retryAt : undefined;
  }

  /** Whether a use of the model could begin at once. */
  isOpen(name: string): boolean {
    const resident = this.#all.get(name);
    return resident?.state === "ready" && !resident.isClosed;
  }

  /** Somebody wants to use a model: the ticket to `take()` it with, or to `leave()`. */
  ask(name: string, now: number): number {
    const resident = this.#of(name);
    resident.isUnwanted = false;
    const ticket = this.#nextTicket++;
    resident.tickets.set(ticket, now);
    return ticket;
  }

  /** Somebody waits no longer. */
  leave(name: string, ticket: number): void {
    const resident = this.#of(name);
    resident.tickets.delete(ticket);
    // By the next time it may be another file.
    if (resident.state === "absent" && resident.tickets.size === 0) resident.bytes = undefined;
  }

  /** A use begins. `keepAliveMs`: how long the model stays after it, where that is not as usual. */
  take(name: string, ticket: number, now: number, keepAliveMs = this.#keepAliveMs): void {
    const resident = this.#of(name);
    if (!this.isOpen(name)) throw new Error(`The model ${name} cannot be taken: it is ${resident.state}`);
    if (!resident.tickets.delete(ticket)) throw new Error(`Nobody waits for the model ${name} as ${ticket}`);
    resident.uses++;
    resident.lastUsedAt = now;
    resident.keepAliveMs = keepAliveMs;
  }

  /** A use has ended. */
  release(name: string, now: number): void {
    const resident = this.#of(name);
    if (resident.uses === 0) throw new Error(`Nobody uses the model ${name}`);
    resident.uses--;
    resident.lastUsedAt = now;
  }

  /** The model leaves as soon as nobody uses it, unless somebody asks for it before. */
  dismiss(name: string): void {
    this.#of(name).isUnwanted = true;
  }

  measured(name: string, bytes: number): void {
    const resident = this.#in(name, "measuring");
    resident.state = "absent";
    // Where nobody waits any more, it may be another file by the next time.
    resident.bytes = resident.tickets.size === 0 ? undefined : bytes;
  }

  loaded(name: string, now: number): void {
    const resident = this.#in(name, "loading");
    resident.state = "ready";
    resident.readySince = resident.lastUsedAt = now;
    resident.keepAliveMs = this.#keepAliveMs;
    resident.failures = 0;
  }

  /** It could not be measured or loaded, and takes no memory. */
  failed(name: string, now: number): void {
    const resident = this.#of(name);
    if (resident.state !== "loading") this.#in(name, "measuring");
    this.#forget(resident);
    resident.retryAt = now + Math.min(RETRY_MS_MAX, this.#retryMs * 2 ** resident.failures++);
  }

  unloaded(name: string): void {
    this.#forget(this.#in(name, "unloading"));
  }

  /** What is to be done; counts as begun. */
  next(now: number): ResidentAction[] {
    const actions: ResidentAction[] = [];
    const unload = (resident: Resident, reason: UnloadReason) => {
      resident.state = "unloading";
      actions.push({ kind: "unload", name: resident.name, reason });
    };
    for (const resident of this.#all.values()) {
      if (isIdle(resident) && (resident.isUnwanted || now >= resident.lastUsedAt + resident.keepAliveMs)) {
        unload(resident, resident.isUnwanted ? "asked" : "idle");
      }
      const { state, tickets, bytes, retryAt } = resident;
      if (state !== "absent" || tickets.size === 0 || now < retryAt) continue;
      if (bytes === undefined) {
        resident.state = "measuring";
        actions.push({ kind: "measure", name: resident.name });
      } else if (bytes > this.budgetBytes) {
        actions.push({ kind: "refuse", name: resident.name });
      }
    }
    const first = this.#first();
    const leaving = first === undefined ? [] : this.#makeRoom(first, now);
    const closed = new Set(leaving);
    for (const resident of this.#all.values()) resident.isClosed = closed.has(resident);
    for (const resident of leaving) if (resident.uses === 0) unload(resident, "room");
    if (first !== undefined && this.#mayLoad(first)) {
      first.state = "loading";
      actions.push({ kind: "load", name: first.name });
    }
    return actions;
  }

  /** When `next()` has something to do though nothing has happened; undefined: never. */
  wakeAt(now: number): number | undefined {
    const times: number[] = [];
    for (const resident of this.#all.values()) {
      if (isIdle(resident)) times.push(resident.lastUsedAt + resident.keepAliveMs);
      if (resident.state === "absent" && resident.tickets.size > 0) times.push(resident.retryAt);
    }
    const first = this.#first();
    if (first !== undefined) {
      times.push(askedAt(first) + this.#turnMs);
      for (const each of this.#all.values()) {
        if (each.state === "ready") times.push(each.readySince + this.#turnMs);
      }
    }
    const next = Math.min(...times.filter((time) => time > now));
    return next === Infinity ? undefined : next;
  }

  /** What keeps a model out; undefined where its size is not known. */
  room(name: string): RoomReport | undefined {
    const resident = this.#all.get(name);
    if (resident?.bytes === undefined) return undefined;
    const { budgetBytes } = this;
    const victims = this.#victims(this.#shortage(resident));
    return {
      needBytes: resident.bytes,
      budgetBytes,
      freeBytes: Math.max(0, budgetBytes - this.heldBytes),
      wouldGo: (victims ?? []).map(({ name, bytes, uses }) => ({ name, bytes: bytes!, uses })),
    };
  }

  #of(name: string): Resident {
    return this.#all.getOrInsertComputed(name, () => ({
      name,
      state: "absent",
      bytes: undefined,
      uses: 0,
      tickets: new Map(),
      readySince: 0,
      lastUsedAt: 0,
      keepAliveMs: this.#keepAliveMs,
      isClosed: false,
      isUnwanted: false,
      failures: 0,
      retryAt: -Infinity,
    }));
  }

  #in(name: string, state: ResidentState): Resident {
    const resident = this.#of(name);
    if (resident.state === state) return resident;
    throw new Error(`The model ${name} is ${resident.state}, not ${state}`);
  }

  #forget(resident: Resident): void {
    resident.state = "absent";
    resident.bytes = undefined;
    resident.isClosed = resident.isUnwanted = false;
  }

  /** The model that has been waited for longest. One at a time is loaded: a disk is not faster for two. */
  #first(): Resident | undefined {
    let first: Resident | undefined;
    for (const resident of this.#all.values()) {
      if (resident.state === "loading") return undefined;
      if (resident.state !== "absent" || resident.tickets.size === 0 || resident.bytes === undefined) {
        continue;
      }
      if (first === undefined || askedAt(resident) < askedAt(first)) first = resident;
    }
    return first;
  }

  #mayLoad({ bytes }: Resident): boolean {
    return this.heldBytes + bytes! <= this.budgetBytes;
  }

  /** Bytes that are missing once what is leaving has left. */
  #shortage({ bytes }: Resident): number {
    let staying = 0;
    for (const each of this.#all.values()) {
      if (takesMemory(each.state) && each.state !== "unloading") staying += each.bytes!;
    }
    return staying + bytes! - this.budgetBytes;
  }

  /** What has to leave for a model now; those in use take no new uses. Empty where it is not yet their turn. */
  #makeRoom(first: Resident, now: number): Resident[] {
    const shortage = this.#shortage(first);
    if (shortage <= 0) return [];
    const idle = this.#victims(shortage, isIdle);
    if (idle !== undefined) return idle;
    if (now < askedAt(first) + this.#turnMs) return [];
    const hadItsTurn = (each: Resident) =>
      isIdle(each) || each.isClosed || now >= each.readySince + this.#turnMs;
    return this.#victims(shortage, hadItsTurn) ?? [];
  }

  /**
   * As few as will do, those first that are already closed, then the idle ones, each in the order of their last
   * use; undefined where all together are not enough.
   */
  #victims(shortage: number, may: (resident: Resident) => boolean = () => true): Resident[] | undefined {
    const rank = (each: Resident) => each.isClosed ? 0 : isIdle(each) ? 1 : 2;
    const candidates = this.#all.values().filter((each) => each.state === "ready" && may(each)).toArray()
      .sort((a, b) => rank(a) - rank(b) || a.lastUsedAt - b.lastUsedAt);
    const chosen: Resident[] = [];
    let missing = shortage;
    for (const each of candidates) {
      if (missing <= 0) break;
      chosen.push(each);
      missing -= each.bytes!;
    }
    if (missing > 0) return undefined;
    // A large one at the end may do without the small ones before it.
    for (const each of chosen.toReversed()) {
      if (missing + each.bytes! > 0) continue;
      chosen.splice(chosen.indexOf(each), 1);
      missing += each.bytes!;
    }
    return chosen;
  }
}

function takesMemory(state: ResidentState): boolean {
  return state === "loading" || state === "ready" || state === "unloading";
}

function isIdle({ state, uses, tickets }: Resident): boolean {
  return state === "ready" && uses === 0 && tickets.size === 0;
}

/** When the one who waits longest came. */
function askedAt({ tickets }: Resident): number {
  return tickets.values().next().value ?? Infinity;
}
