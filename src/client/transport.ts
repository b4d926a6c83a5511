import { CONTROL_WORDS, ControlWord, type FromEngine, type ToEngine } from "../protocol/messages.ts";

/** A way to an engine, wherever it runs. */
export interface Transport {
  /** Memory that both sides see, where the engine is in the same process. */
  readonly control?: SharedArrayBuffer;
  post(message: ToEngine): void;
  /** `onMessage` gets each message in order; `onDeath` is called once, when nothing more can come. */
  listen(onMessage: (message: FromEngine) => void, onDeath: (reason: string) => void): void;
  /** Ends the engine without asking it. */
  terminate(): void;
}

/** An engine in a Web Worker of this process. */
export class WorkerTransport implements Transport {
  readonly control: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #worker: Worker;

  /** `url`: the worker's module. `name`: what debuggers call it. */
  constructor(url: URL = new URL("../engine/worker.ts", import.meta.url), name = "kumi engine") {
    this.control = new SharedArrayBuffer(CONTROL_WORDS * Int32Array.BYTES_PER_ELEMENT);
    this.#words = new Int32Array(this.control);
    this.#worker = new Worker(url, { type: "module", name });
  }

  post(message: ToEngine): void {
    this.#worker.postMessage(message);
    Atomics.add(this.#words, ControlWord.posted, 1);
  }

  listen(onMessage: (message: FromEngine) => void, onDeath: (reason: string) => void): void {
    this.#worker.onmessage = (event: MessageEvent<FromEngine>) => onMessage(event.data);
    this.#worker.onmessageerror = () => onDeath("it sent a message that cannot be read");
    this.#worker.onerror = (event) => {
      // Without this the error would end the caller's program too.
      event.preventDefault();
      onDeath(event.message);
    };
  }

  terminate(): void {
    this.#worker.terminate();
  }
}
