/** What a passage tells its connection. */
export interface PassageHost {
  /** All of a request is there. */
  noteArrival(): void;
  /** A request is over. */
  noteEnd(passage: Passage): void;
}

const GONE = new DOMException("The client's connection has ended", "AbortError");

/** A request on its way through the server. */
export class Passage {
  readonly #host: PassageHost;
  #hasArrived = false;
  #isOver = false;
  /** Made when somebody asks: most requests are over before it matters. */
  #left: AbortController | null = null;
  #reason: DOMException | null = null;
  /** Nothing of its connection matters after its answer, not even the rest of its body. */
  isLast = false;

  constructor(host: PassageHost) {
    this.#host = host;
  }

  get hasArrived(): boolean {
    return this.#hasArrived;
  }

  /** Aborts when the client has left, with the reason that `leave` was given. */
  get left(): AbortSignal {
    this.#left ??= new AbortController();
    if (this.#reason !== null) this.#left.abort(this.#reason);
    return this.#left.signal;
  }

  /** All of it is there. */
  arrive(): void {
    if (this.#hasArrived || this.#isOver) return;
    this.#hasArrived = true;
    this.#host.noteArrival();
  }

  /** It has been answered, or has failed. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#host.noteEnd(this);
  }

  /** Its client has left. The first reason counts. */
  leave(reason: DOMException = GONE): void {
    this.#reason ??= reason;
    this.#left?.abort(this.#reason);
  }
}
