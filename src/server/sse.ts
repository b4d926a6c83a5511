/** Server-sent events for one client, bounded in memory and time. @module */

/** What a stream of events takes its events from. */
export interface EventSource {
  /** The events since the last call, as text; "" where there are none. Joins what it can. */
  take(): string;
  /** Bytes that wait, roughly. */
  readonly waiting: number;
  /** The client is gone, or is cut off because it does not read. Called once at most. */
  cancelled(reason: CancelReason): void;
}

export type CancelReason = "disconnected" | "stalled" | "overflowed";

/** Bounds on streams. */
export interface StreamLimits {
  /** Bytes that may wait for one client. */
  readonly bufferBytes: number;
  /** For how long a client may leave waiting bytes unread. */
  readonly stalledMs: number;
  /**
   * After this long without an event comes a comment, so that nobody in between takes the connection for
   * dead.
   */
  readonly keepAliveMs: number;
}

export const STREAM_LIMITS: StreamLimits = { bufferBytes: 256 << 10, stalledMs: 30_000, keepAliveMs: 15_000 };

const encoder = new TextEncoder();
const KEEP_ALIVE = ": keep-alive\n\n";
const TICKS = 8;
/** Between the first two comments that find out whether a client is there; then twice as long each time. */
const PROBE_MS = 25;

/** An event with JSON data; `name`: its type, for dialects whose events have one. It must be one line. */
export function eventText(data: unknown, name?: string): string {
  const event = `data: ${JSON.stringify(data)}\n\n`;
  return name === undefined ? event : `event: ${name}\n${event}`;
}

/** The last event of OpenAI's streams that succeeded. */
export const DONE_EVENT = "data: [DONE]\n\n";

/**
 * A response body of events. Events are written when the client has read the ones before; until then they
 * wait in their source, which joins them: a slow reader gets fewer and larger ones.
 */
export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #source: EventSource;
  readonly #limits: StreamLimits;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  /** Ends the pull that waits for an event. */
  #wake: (() => void) | null = null;
  #isEnding = false;
  #isOver = false;
  #timer: ReturnType<typeof setInterval>;
  #probe: ReturnType<typeof setTimeout> | undefined;
  #waitsSince = 0;
  #wroteAt: number;
  readonly #now: () => number;

  readonly #keepAlive: Uint8Array;

  /** `keepAlive`: what is sent where there is nothing to say. `now`: ms of a clock that does not jump. */
  constructor(
    source: EventSource,
    limits: StreamLimits = STREAM_LIMITS,
    { keepAlive = KEEP_ALIVE, now = () => performance.now() }: { keepAlive?: string; now?: () => number } =
      {},
  ) {
    this.#keepAlive = encoder.encode(keepAlive);
    this.#source = source;
    this.#limits = limits;
    this.#now = now;
    this.#wroteAt = now();
    this.body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#pull(),
      cancel: () => this.#cancel("disconnected"),
    }, { highWaterMark: 0 });
    this.#timer = setInterval(() => this.#look(), Math.min(limits.stalledMs, limits.keepAliveMs) / TICKS);
  }

  /** The source has something new. */
  notify(): void {
    if (this.#isOver) return;
    if (this.#wake !== null) return this.#write();
    if (this.#waitsSince === 0) this.#waitsSince = this.#now();
    if (this.#source.waiting > this.#limits.bufferBytes) this.#cut("overflowed");
  }

  /** The source will have nothing more: the stream closes once it is read. */
  end(): void {
    this.#isEnding = true;
    this.notify();
  }

  /**
   * The client sends nothing more: it has left, or it still reads. Only writing tells, and not the first
   * time, so comments are sent, after ever longer pauses. May be called again.
   */
  probe(): void {
    if (this.#probe !== undefined || this.#isOver) return;
    const probe = (pauseMs: number) => {
      if (this.#wake !== null) this.#send(this.#keepAlive);
      // Sending may have been all that an end waited for.
      if (this.#isOver) return;
      this.#probe = setTimeout(probe, pauseMs, Math.min(2 * pauseMs, this.#limits.keepAliveMs));
    };
    probe(PROBE_MS);
  }

  /** Waits until there is something to send, so that there is at most one such wait. */
  #pull(): Promise<void> | void {
    this.#waitsSince = 0;
    const waiting = new Promise<void>((resolve) => this.#wake = resolve);
    this.#write();
    return waiting;
  }

  #write(): void {
    const text = this.#source.take();
    if (text !== "") this.#send(encoder.encode(text));
    if (this.#isEnding && !this.#isOver && this.#source.waiting === 0) {
      this.#finish();
      this.#controller.close();
    }
  }

  #send(bytes: Uint8Array): void {
    this.#controller.enqueue(bytes);
    this.#wroteAt = this.#now();
    this.#wake?.();
    this.#wake = null;
  }

  #look(): void {
    const now = this.#now();
    if (this.#waitsSince > 0 && now - this.#waitsSince >= this.#limits.stalledMs) this.#cut("stalled");
    else if (this.#wake !== null && now - this.#wroteAt >= this.#limits.keepAliveMs) {
      this.#send(this.#keepAlive);
    }
  }

  /** Ends the connection in the middle: nobody shall take what has arrived for the whole. */
  #cut(reason: CancelReason): void {
    if (this.#isOver) return;
    this.#cancel(reason);
    // Deno writes it into the log: a line, not a stack.
    this.#controller.error(`kumi: a client was cut off: its stream ${reason}`);
  }

  #cancel(reason: CancelReason): void {
    if (this.#isOver) return;
    this.#finish();
    this.#source.cancelled(reason);
  }

  #finish(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    clearTimeout(this.#probe);
    this.#wake?.();
    this.#wake = null;
  }
}
