import { takeEngineWorker } from "./engine_worker.ts";
import { CONTROL_WORDS, ControlWord, type FromEngine, type ToEngine } from "../protocol/messages.ts";

/**
 * Of whom an engine may have died: of the requests in its step, or of none, because somebody ended it from
 * outside.
 */
export type Blame = "step" | "nobody";

/** A way to an engine, wherever it runs. */
export interface Transport {
  /** Words about the engine (`ControlWord`): memory that both sides see, or what the engine has told of it. */
  readonly control?: SharedArrayBuffer;
  /**
   * Whether the engine lives in this process: what it has loaded outlives it and can be shared, but it can be
   * stuck where nothing ends it.
   */
  readonly isLocal: boolean;
  /** The engine's process, where it has one of its own. */
  readonly pid?: number;
  /** Throws for a message that cannot be sent. */
  post(message: ToEngine): void;
  /** Asks that the step under way ends early. */
  interrupt(): void;
  /** `onMessage` gets each message in order; `onDeath` is called once, when nothing more can come. */
  listen(onMessage: (message: FromEngine) => void, onDeath: (reason: string, blame: Blame) => void): void;
  /** Ends the engine without asking it. Resolves when it is gone, where that takes a while. */
  terminate(): void | Promise<void>;
}

/** An engine in a Web Worker of this process. */
export class WorkerTransport implements Transport {
  readonly control: SharedArrayBuffer;
  readonly isLocal = true;
  readonly #words: Int32Array;
  readonly #worker: Worker;

  /** `url`: another module than the engine's. `name`: what debuggers call it. */
  constructor(url?: URL, name = "kumi engine") {
    this.control = new SharedArrayBuffer(CONTROL_WORDS * Int32Array.BYTES_PER_ELEMENT);
    this.#words = new Int32Array(this.control);
    this.#worker = url === undefined ? takeEngineWorker(name) : new Worker(url, { type: "module", name });
  }

  post(message: ToEngine): void {
    this.#worker.postMessage(message);
    Atomics.add(this.#words, ControlWord.posted, 1);
  }

  interrupt(): void {
    Atomics.add(this.#words, ControlWord.interrupts, 1);
  }

  listen(onMessage: (message: FromEngine) => void, onDeath: (reason: string, blame: Blame) => void): void {
    this.#worker.onmessage = (event: MessageEvent<FromEngine>) => onMessage(event.data);
    this.#worker.onmessageerror = () => onDeath("it sent a message that cannot be read", "step");
    this.#worker.onerror = (event) => {
      // Without this the error would end the caller's program too.
      event.preventDefault();
      onDeath(event.message, "step");
    };
  }

  terminate(): void {
    this.#worker.terminate();
  }
}
