import { ApiError } from "../api_error.ts";
import { clientLeft } from "../presence.ts";
import type { CancelReason, EventSource } from "../sse.ts";
import type { Passing } from "./stream.ts";

/** How events are passed. */
export interface PassedOptions {
  /** Whether the client has asked for the usage: else the event that has nothing but that is kept. */
  readonly hasUsage: boolean;
  /** So much may wait for the client before no more is read of the upstream. */
  readonly bytesMax: number;
  /** The client is gone, or is cut off. */
  readonly onCancel: (reason: ApiError) => void;
}

/** Events of an upstream on their way to a client, each as it came. */
export class PassedEvents implements EventSource {
  readonly #options: PassedOptions;
  #text = "";
  #wake: (() => void) | null = null;
  #isCancelled = false;

  constructor(options: PassedOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#text.length;
  }

  get isFull(): boolean {
    return this.#text.length >= this.#options.bytesMax && !this.#isCancelled;
  }

  push({ data, chunk: { choices, usage } }: Passing): void {
    const isUsage = Array.isArray(choices) && choices.length === 0 && typeof usage === "object" &&
      usage !== null;
    if (isUsage && !this.#options.hasUsage) return;
    // Lines of one event are data again.
    this.#text += `data: ${data.replaceAll("\n", "\ndata: ")}\n\n`;
  }

  /** The last thing that the client hears. */
  close(event: string): void {
    this.#text += event;
  }

  /** Resolves when the client has read what waits, or reads no more. */
  async read(): Promise<void> {
    if (this.isFull) await new Promise<void>((resolve) => this.#wake = resolve);
  }

  take(): string {
    const text = this.#text;
    this.#text = "";
    this.#awake();
    return text;
  }

  cancelled(reason: CancelReason): void {
    this.#isCancelled = true;
    this.#awake();
    this.#options.onCancel(
      reason === "disconnected"
        ? clientLeft()
        : new ApiError(408, `The client's stream ${reason}`, { code: `stream_${reason}` }),
    );
  }

  #awake(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
