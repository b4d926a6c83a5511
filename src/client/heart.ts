import type { Timer } from "../protocol/clock.ts";
import { ControlWord } from "../protocol/messages.ts";

/**
 * Watches a worker's signs of life. A worker that ends itself raises no event, so whoever expects something from it has
 * to look. Only time in which this thread ran counts: after a machine has slept, all workers seem to have been silent.
 */
export class Heart {
  readonly #control: Int32Array | null;
  readonly #timer: Timer;
  readonly #lookMs: number;
  readonly #onLook: () => void;
  #stop: (() => void) | null = null;
  #lastBeat = 0;
  #lastLookAt = 0;
  #silentMs = 0;

  /** `onLook` is called every `lookMs` while the heart is watched. */
  constructor(control: Int32Array | null, timer: Timer, lookMs: number, onLook: () => void) {
    this.#control = control;
    this.#timer = timer;
    this.#lookMs = lookMs;
    this.#onLook = onLook;
  }

  /** For how long there has been no sign of life; 0 while nobody watches. */
  get silentMs(): number {
    if (this.#stop === null || this.#beatWord() !== this.#lastBeat) return 0;
    return this.#silentMs + this.#sinceLook();
  }

  /** Begins to watch. May be called again. */
  watch(): void {
    if (this.#stop !== null) return;
    this.live();
    this.#stop = this.#timer.every(this.#lookMs, () => this.#look());
  }

  /** Ends watching. May be called again. */
  rest(): void {
    this.#stop?.();
    this.#stop = null;
  }

  /** Notes a sign of life other than the beat, such as a message. */
  live(): void {
    this.#silentMs = 0;
    this.#lastBeat = this.#beatWord();
    this.#lastLookAt = this.#timer.now();
  }

  #look(): void {
    if (this.#beatWord() !== this.#lastBeat) this.live();
    this.#silentMs += this.#sinceLook();
    this.#lastLookAt = this.#timer.now();
    this.#onLook();
  }

  #sinceLook(): number {
    return Math.min(this.#timer.now() - this.#lastLookAt, 2 * this.#lookMs);
  }

  #beatWord(): number {
    return this.#control === null ? 0 : Atomics.load(this.#control, ControlWord.heartbeat);
  }
}
