import { lateMs, type RefusalReason, retryMs } from "./admission.ts";
import { Playback, type PlaybackState, type PlayedSequence } from "./playback.ts";

/** Why a request is not taken, and for how long. */
export interface Refusal {
  readonly reason: RefusalReason;
  /** Undefined: it would be refused always. */
  readonly retryAfterMs?: number;
}

/** What new requests of a class have to expect. */
export interface ClassOutlook {
  readonly name: string;
  readonly priority: number;
  readonly ttftSloMs?: number;
  /** Why a request would be refused that is as small as there can be. Undefined: it would be taken. */
  readonly refusal?: Refusal;
  /** So many more requests may wait, and so many more tokens of their prompts. */
  readonly places: number;
  readonly placesTokens: number;
  /**
   * Of a class that promises something: how its queue goes on from where all that wait in it have started.
   */
  readonly forecast?: PlaybackState;
}

/** What a scheduler says of a class, and how many requests of it had come then. */
export interface CountedOutlook extends ClassOutlook {
  readonly asked: number;
}

/** A request as far as it is known before a scheduler has it. */
export interface UnseenRequest {
  readonly class: string;
  /** Tokens of its prompt that have to be computed, about. */
  readonly tokens: number;
  /**
   * All tokens of its prompt, about: what is computed attends to those that need not be. Default: `tokens`.
   */
  readonly contextTokens?: number;
  /** Most tokens of its answer; undefined: any number. */
  readonly maxTokens?: number;
  /** Rank within its class; default 0. */
  readonly priority?: number;
  /** Ms from now in which it has to end. */
  readonly deadlineMs?: number;
}

/** Requests that a class was sent. */
interface Sent {
  /** So many are known to have arrived. */
  arrived: number;
  /** The others, in the order in which they were sent. */
  readonly requests: UnseenRequest[];
}

/** A queue, played until all that are known have started. */
interface Played {
  readonly playback: Playback;
  /** Requests under way that are in it, by class. */
  readonly added: number[];
}

/** After a queue that is only full of what is under way to it. */
const RETRY_MS = 1000;

/**
 * What a scheduler in another thread has last said about new requests, and what it was sent since: so that a
 * request which has no chance is refused at once. The scheduler can only answer between two steps. Both play
 * the same queue forward.
 */
export class KnownOutlook {
  readonly #sent = new Map<string, Sent>();
  #classes: readonly CountedOutlook[] = [];
  #learnedAt = 0;
  readonly #played = new Map<string, Played>();

  /** Takes what the scheduler says. `now`: ms of any clock that is not set. */
  learn(classes: readonly CountedOutlook[], now: number): void {
    this.#classes = classes;
    this.#learnedAt = now;
    this.#played.clear();
    for (const { name, asked } of classes) {
      const sent = this.#sentTo(name);
      sent.requests.splice(0, asked - sent.arrived);
      sent.arrived = asked;
    }
  }

  /** Notes a request that is sent to the scheduler. */
  send(request: UnseenRequest): void {
    this.#sentTo(request.class).requests.push(request);
  }

  /** Why the scheduler would refuse a request; null where it may take it. */
  refusalFor(request: UnseenRequest, now: number): Refusal | null {
    const known = this.#classes.find((each) => each.name === request.class);
    if (known === undefined) return null;
    if (known.refusal !== undefined) return known.refusal;
    const underWay = this.#sentTo(request.class).requests;
    // Whether its own prompt is more than the queue ever takes is for the worker to say.
    const tokens = underWay.reduce((sum, each) => sum + each.tokens, 0);
    if (underWay.length >= known.places || tokens >= known.placesTokens) {
      return { reason: "queue-full", retryAfterMs: RETRY_MS };
    }
    // Who goes before others that wait is judged where they are known one by one.
    if (known.forecast === undefined || (request.priority ?? 0) > 0) return null;
    const ttftMs = this.#ttftMs(known, request, now);
    if (ttftMs === null) return null;
    const late = lateMs(ttftMs, known.ttftSloMs);
    if (late > 0) return { reason: "slo", retryAfterMs: retryMs(late) };
    const { deadlineMs = Infinity } = request;
    if (ttftMs <= deadlineMs) return null;
    // Whether it would be late by itself, and need not come again, is for the worker to say.
    const othersMs = this.#ttftMs(known, { ...request, tokens: 1 }, now)!;
    return othersMs > deadlineMs
      ? { reason: "deadline", retryAfterMs: retryMs(othersMs - deadlineMs) }
      : null;
  }

  /**
   * Ms until the first token of a request that would be sent now; undefined where nothing tells: before steps
   * were measured, and in a class that promises nothing.
   */
  expectedTtftMs(request: UnseenRequest, now: number): number | undefined {
    const known = this.#classes.find((each) => each.name === request.class);
    if (known?.forecast === undefined) return undefined;
    return this.#playedTtftMs(known, request, now, this.#playedFor(known.name).clone());
  }

  /**
   * Ms until its first token, behind all that is under way and goes before it; null where there is nothing
   * else to do.
   */
  #ttftMs(known: CountedOutlook, request: UnseenRequest, now: number): number | null {
    const playback = this.#playedFor(known.name).clone();
    return playback.isIdle ? null : this.#playedTtftMs(known, request, now, playback);
  }

  #playedTtftMs({ name }: CountedOutlook, request: UnseenRequest, now: number, playback: Playback): number {
    const wasIdle = playback.isIdle;
    const index = this.#classes.findIndex((each) => each.name === name);
    const sequence = playedRequest(playback, index, request, 0);
    playback.add(index, sequence);
    // What is under way goes on meanwhile; what has not begun does not.
    const passed = wasIdle ? 0 : Math.max(0, now - this.#learnedAt);
    return Math.max(0, playback.msToFirstToken(sequence) - passed);
  }

  /** A class's forecast with all in it that is under way. */
  #playedFor(name: string): Playback {
    const { forecast } = this.#classes.find((each) => each.name === name)!;
    let played = this.#played.get(name);
    if (played === undefined) {
      played = { playback: new Playback(forecast!), added: this.#classes.map(() => 0) };
      this.#played.set(name, played);
    }
    const { playback, added } = played;
    for (const [i, other] of this.#classes.entries()) {
      const { requests } = this.#sentTo(other.name);
      for (; added[i] < requests.length; added[i]++) {
        playback.add(i, playedRequest(playback, i, requests[added[i]], added[i]));
      }
      if (other.name === name) break;
    }
    playback.settle(this.#classes.findIndex((each) => each.name === name));
    return playback;
  }

  #sentTo(name: string): Sent {
    let sent = this.#sent.get(name);
    if (sent === undefined) this.#sent.set(name, sent = { arrived: 0, requests: [] });
    return sent;
  }
}

/** `number`: its place among those under way. */
function playedRequest(
  playback: Playback,
  index: number,
  { tokens, contextTokens = tokens, maxTokens = Infinity }: UnseenRequest,
  number: number,
): PlayedSequence {
  const missing = Math.max(1, Math.ceil(tokens));
  const { outputs } = playback.state.classes[index];
  const left = Math.min(maxTokens, outputs[number % outputs.length]);
  return { context: Math.max(missing, Math.ceil(contextTokens)), missing, held: 0, left };
}
