/** The engine's thread in a process of its own: what a worker posts, or shares memory for, it writes to a pipe. @module */

import type { FromEngine, ToEngine } from "../protocol/messages.ts";
import { cloneFrame, FromProcess, idsFrame, prepareClones, readClone } from "../protocol/process_messages.ts";
import { frameOf } from "../protocol/frames.ts";
import { EngineHost, type EngineSigns } from "./host.ts";

/** Signs of life are written no more often, in ms. */
const BEAT_MS = 250;

/** Writes what an engine says, in order. */
export class ProcessVoice implements EngineSigns {
  readonly #write: (frame: Uint8Array) => void;
  #beatAt = -Infinity;
  /** Whether a step has ended and nobody was told. */
  #hasEnded = false;

  constructor(write: (frame: Uint8Array) => void) {
    this.#write = write;
    prepareClones();
  }

  post(message: FromEngine): void {
    // Matrices are numbers that mean nothing to another process.
    const told = message.type === "loaded" ? { ...message, weights: {} } : message;
    this.#write(cloneFrame(this.#hasEnded ? FromProcess.messageAfterStep : FromProcess.message, told));
    this.#hasEnded = false;
  }

  step(ids: readonly number[]): void {
    if (ids.length > 0) {
      this.#hasEnded = false;
      return this.#write(idsFrame(FromProcess.step, ids));
    }
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    // What the step gave mostly follows at once, and tells its end along with it.
    queueMicrotask(() => this.#flush());
  }

  beat(): void {
    const now = performance.now();
    if (now - this.#beatAt < BEAT_MS) return;
    this.#beatAt = now;
    this.#write(frameOf(FromProcess.beat));
  }

  #flush(): void {
    if (!this.#hasEnded) return;
    this.#hasEnded = false;
    this.#write(idsFrame(FromProcess.step, []));
  }
}

/** An engine behind a pipe. */
export class ProcessHost {
  readonly #host: EngineHost;
  readonly #control: SharedArrayBuffer;

  /** `control`: memory that the thread sees which reads the pipe. `write`: takes whole frames. */
  constructor(control: SharedArrayBuffer, write: (frame: Uint8Array) => void) {
    const voice = new ProcessVoice(write);
    this.#control = control;
    this.#host = new EngineHost((message) => voice.post(message), voice);
  }

  /** Takes a message as it came. */
  receive(payload: Uint8Array): void {
    const message = readClone(payload) as ToEngine;
    this.#host.receive(message.type === "load" ? { ...message, control: this.#control } : message);
  }
}
