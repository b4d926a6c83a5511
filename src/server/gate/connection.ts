import type { ApiError } from "../api_error.ts";
import { HALF_CLOSED } from "../presence.ts";
import { badRequest, headTimeout, headTooLarge, responseBytes } from "./answer.ts";
import { beginsHead, beginsHttp2, hasHead, ignoreUpgrade } from "./head.ts";
import type { GateLimits } from "./limits.ts";
import { Passage, type PassageHost } from "./passage.ts";

/** What a connection needs of its gate. */
export interface ConnectionHost {
  readonly limits: GateLimits;
  /** Ms of a clock that does not jump, as of the gate's last look. */
  readonly now: number;
  /** All connections are to end. */
  readonly isEnding: boolean;
  /** A client was told that its request's head cannot be taken. `code`: of the error. */
  noteRefusal(code: string): void;
  /** A connection to the server behind. */
  connect(connection: GateConnection): Promise<Deno.TcpConn>;
}

/** What a connection without a request that is all there is worth. */
const Worth = { ending: 0, withoutHead: 1, slowBody: 2, idle: 3, body: 4 } as const;
/** Most bodies are there with their heads. */
const SLOW_BODY_MS = 1000;
/** Bytes read from the server at a time. */
const DOWN_BYTES = 16 << 10;
/**
 * For how long a client that was told something may still read it, and its last bytes are read and forgotten.
 */
const LINGER_MS = 2000;
/**
 * Longer, while a client sends at least so fast: many read nothing before they have sent all of their
 * request.
 */
const DRAIN_BYTES_PER_MS = 128, DRAIN_MS = 15_000, DRAIN_BYTES = 64 << 20;
/**
 * What the server has said last has been read when it says nothing from so many looks to the next: between
 * two, all is read.
 */
const QUIET_LOOKS = 3;
/** After a client has closed its side: for the server to begin what it has sent before that. */
const HALF_CLOSED_MS = 500;

/**
 * A client's connection. The first head is kept back until all of it is there. From then on bytes pass as
 * they are, both ways, but for offers of other protocols, and the server behind says when it has begun and
 * ended a request. In between, time and bytes are limited. A client that closes its side has left, as far as
 * one can tell: requests under way are told, and the server hears of it when there are none, since it ends
 * answers half-way otherwise.
 */
export class GateConnection implements PassageHost {
  readonly #host: ConnectionHost;
  readonly #client: Deno.TcpConn;
  #server: Deno.TcpConn | null = null;
  #innerPort: number | null = null;
  /** The requests that the server has begun. */
  readonly #passages = new Set<Passage>();
  #begunAt = 0;
  /** How many of them are there with their bodies. */
  #arrived = 0;
  /** Bytes of the client since there was no request. */
  #bytes = 0;
  /** A request is there, or some of it, and the server has said nothing since. */
  #isOwed = false;
  #isHttp2 = false;
  #isHalfClosed = false;
  /** When it has to be further than it is now. */
  #deadline: number;
  #writeDeadline = Infinity;
  /** Looks since the server spoke last. */
  #quietLooks = 0;
  /** The server has said its last, and does not close since it waits for the rest of a body. */
  #isAnswered = false;
  /** Nothing more of the client matters. */
  #isEnding = false;
  #drainUntil = Infinity;
  #drained = 0;
  #isClosed = false;
  /** Lets the client's bytes go on once the server has begun a request. */
  #release: (() => void) | null = null;
  /** Ends the wait for a server that does not take the client's bytes. */
  #giveUpWriting: (() => void) | null = null;
  /** Told when the server has said its last. */
  #lastError: ApiError | null = null;

  constructor(host: ConnectionHost, client: Deno.TcpConn) {
    this.#host = host;
    this.#client = client;
    this.#deadline = host.now + host.limits.headMs;
  }

  /** Its port on the way to the server; null until a head is there. */
  get innerPort(): number | null {
    return this.#innerPort;
  }

  /** How dear its place is: the cheapest go first where others need one. */
  get worth(): number {
    if (this.#isEnding) return Worth.ending;
    if (this.#arrived > 0) return Infinity;
    if (this.#passages.size === 0) return this.#server === null ? Worth.withoutHead : Worth.idle;
    return this.#host.now - this.#begunAt > SLOW_BODY_MS ? Worth.slowBody : Worth.body;
  }

  /** Serves it. Resolves when it is over; never rejects. */
  async run(): Promise<void> {
    const buffer = new Uint8Array(this.#host.limits.headBytes);
    try {
      const length = await this.#readHead(buffer);
      if (length === 0) return;
      const server = await this.#connect();
      await Promise.all([this.#passDown(server), this.#passUp(server, buffer, length)]);
    } catch {
      // One side is gone.
    } finally {
      this.close();
    }
  }

  /** Says why there is no place for it, and ends. Never rejects. */
  async refuse(error: ApiError): Promise<void> {
    try {
      await this.#endWith(error);
      await this.#forgetRest(new Uint8Array(1024));
    } catch {
      // It does not want to know.
    } finally {
      this.close();
    }
  }

  /** The server has the head of a request. */
  begin(): Passage {
    const passage = new Passage(this);
    if (this.#isHalfClosed) passage.leave(HALF_CLOSED);
    if (this.#passages.size === 0) this.#begunAt = this.#host.now;
    this.#passages.add(passage);
    this.#bytes = 0;
    this.#isOwed = true;
    this.#wait();
    this.#release?.();
    return passage;
  }

  noteArrival(): void {
    this.#arrived++;
    this.#wait();
  }

  noteEnd(passage: Passage): void {
    this.#passages.delete(passage);
    if (passage.hasArrived) this.#arrived--;
    if (passage.isLast && !this.#isHttp2) this.#endAnswered();
    if (this.#passages.size > 0) return;
    this.#bytes = 0;
    this.#wait();
  }

  /** Sets until when it must be further. */
  #wait(): void {
    if (this.#isEnding) return;
    const { now, limits } = this.#host;
    if (this.#arrived > 0) this.#deadline = Infinity;
    else if (this.#isHalfClosed) this.#deadline = now + HALF_CLOSED_MS;
    else this.#deadline = this.#passages.size > 0 ? Infinity : now + limits.idleMs;
  }

  /** Ends it if it has taken too long; tells whether. Called now and then. */
  look(): boolean {
    const { now } = this.#host;
    const isTelling = this.#writeDeadline !== Infinity;
    if (this.#isAnswered && !isTelling && ++this.#quietLooks >= QUIET_LOOKS) this.#closeServer();
    if (now < this.#writeDeadline && now < this.#deadline) return false;
    if (this.#isEnding || now >= this.#writeDeadline) this.close();
    else if (this.#isHalfClosed) this.#endServer(null);
    else if (this.#bytes > 0 && !this.#isHttp2) this.#endLate();
    else if (this.#server === null) this.close();
    else this.#endServer(null);
    return true;
  }

  /** Says what is wrong with a head that has not come. */
  #endLate(): void {
    const { limits } = this.#host;
    this.#refuseHead(this.#release !== null ? headTooLarge(limits) : headTimeout(limits));
  }

  #refuseHead(error: ApiError): void {
    this.#host.noteRefusal(error.code!);
    if (this.#server !== null) this.#endServer(error);
    else this.#endWith(error).catch(() => this.close());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#startEnding();
    this.#release?.();
    this.#client.close();
    this.#closeServer();
    for (const passage of this.#passages) passage.leave();
  }

  #closeServer(): void {
    this.#isAnswered = false;
    this.#server?.close();
    this.#server = null;
  }

  /** Throws where it was closed in the meantime. */
  async #connect(): Promise<Deno.TcpConn> {
    const server = await this.#host.connect(this);
    this.#innerPort = server.localAddr.port;
    if (this.#isClosed) server.close();
    else this.#server = server;
    return server;
  }

  /** Reads until there is a head; gives the length of what was read, 0 where there will be none. */
  async #readHead(buffer: Uint8Array): Promise<number> {
    while (true) {
      const before = this.#bytes;
      const count = await this.#client.read(buffer.subarray(before));
      if (count === null) return 0;
      if (this.#isEnding) {
        await this.#forgetRest(buffer);
        return 0;
      }
      this.#bytes += count;
      if (hasHead(buffer, before, this.#bytes)) return this.#admit(buffer.subarray(0, this.#bytes));
      if (this.#bytes < buffer.length) continue;
      const error = headTooLarge(this.#host.limits);
      this.#host.noteRefusal(error.code!);
      await this.#endWith(error);
      await this.#forgetRest(buffer);
      return 0;
    }
  }

  /** A head that may pass. Gives its length. */
  #admit(head: Uint8Array): number {
    this.#isOwed = true;
    this.#isHttp2 ||= beginsHttp2(head);
    if (!this.#isHttp2) ignoreUpgrade(head);
    return head.length;
  }

  /** From the client to the server; `length` bytes of the buffer are there already. */
  async #passUp(server: Deno.TcpConn, buffer: Uint8Array, length: number): Promise<void> {
    for (let count: number | null = length; count !== null; count = await this.#readOn(buffer)) {
      if (count === 0 || this.#isEnding) continue;
      await this.#writeUp(server, buffer.subarray(0, count));
      // Else what is left of a write would be sent with other bytes.
      if (this.#isEnding) buffer = new Uint8Array(DOWN_BYTES);
      else if (this.#passages.size === 0 && this.#bytes > buffer.length) await this.#untilBegun();
    }
    this.#noteHalfClosed();
  }

  /** Reads on, to the end of a head where one begins. Gives the length; 0 where nothing of it is to pass. */
  async #readOn(buffer: Uint8Array): Promise<number | null> {
    let length = await this.#client.read(buffer);
    if (length === null || !this.#note(length)) return length === null ? null : 0;
    if (this.#isHttp2 || !beginsHead(buffer.subarray(0, length))) return length;
    for (let before = 0; !hasHead(buffer, before, length);) {
      if (length === buffer.length) {
        if (this.#passages.size > 0) return length;
        this.#refuseHead(headTooLarge(this.#host.limits));
        return 0;
      }
      const count: number | null = await this.#client.read(buffer.subarray(length));
      // The next read says so again.
      if (count === null) return length;
      if (!this.#note(count)) return 0;
      before = length;
      length += count;
    }
    return this.#admit(buffer.subarray(0, length));
  }

  /** Counts bytes of the client; tells whether they matter. */
  #note(count: number): boolean {
    if (this.#isEnding) {
      this.#drained += count;
      const until = this.#drained > DRAIN_BYTES ? 0 : this.#deadline + count / DRAIN_BYTES_PER_MS;
      this.#deadline = Math.min(until, this.#drainUntil);
      return false;
    }
    if (this.#passages.size > 0) return true;
    // The first bytes after a pause begin a head.
    const { now, limits } = this.#host;
    if (this.#bytes === 0 && !this.#isHttp2) this.#deadline = now + limits.headMs;
    this.#bytes += count;
    return true;
  }

  /**
   * Resolves when the server has taken them, or they matter no more. Its last words may still be on their way
   * if it does not.
   */
  async #writeUp(server: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#giveUpWriting = resolve;
      writeAll(server, bytes).then(resolve, resolve);
    });
    this.#giveUpWriting = null;
  }

  /** What is more than a head has to wait until the server has seen that there is one. */
  async #untilBegun(): Promise<void> {
    await new Promise<void>((resolve) => this.#release = resolve);
    this.#release = null;
  }

  #noteHalfClosed(): void {
    this.#isHalfClosed = true;
    for (const passage of this.#passages) passage.leave(HALF_CLOSED);
    if (this.#isEnding) return;
    if (this.#passages.size === 0 && this.#bytes === 0) this.#endServer(null);
    else this.#wait();
  }

  async #passDown(server: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(DOWN_BYTES);
    while (true) {
      const count = await server.read(buffer).catch(() => null);
      if (count === null) break;
      this.#isOwed = false;
      await this.#tell(buffer.subarray(0, count));
      this.#quietLooks = 0;
    }
    if (this.#isClosed) return;
    if (this.#lastError === null && this.#isOwed && !this.#isHttp2 && !this.#host.isEnding) {
      this.#lastError = badRequest();
      this.#host.noteRefusal(this.#lastError.code!);
    }
    if (this.#lastError !== null) return await this.#endWith(this.#lastError);
    this.#startEnding();
    await this.#client.closeWrite();
  }

  async #tell(bytes: Uint8Array): Promise<void> {
    const { limits } = this.#host;
    for (let sent = 0; sent < bytes.length;) {
      this.#writeDeadline = this.#host.now + limits.stalledMs;
      sent += await this.#client.write(sent === 0 ? bytes : bytes.subarray(sent));
    }
    this.#writeDeadline = Infinity;
  }

  /** Lets the server end: it hears nothing more. Then the client is told `error`, if any. */
  #endServer(error: ApiError | null): void {
    this.#lastError = error;
    this.#startEnding();
    this.#release?.();
    this.#server!.closeWrite().catch(() => this.close());
  }

  /** Lets the server end that has answered a request of which it does not want the rest. */
  #endAnswered(): void {
    this.#startEnding();
    this.#isAnswered = true;
    this.#quietLooks = 0;
  }

  async #endWith(error: ApiError): Promise<void> {
    this.#startEnding();
    await this.#tell(responseBytes(error));
    await this.#client.closeWrite();
  }

  #startEnding(): void {
    const { now } = this.#host;
    if (!this.#isEnding) this.#drainUntil = now + DRAIN_MS;
    this.#isEnding = true;
    this.#deadline = now + LINGER_MS;
    this.#giveUpWriting?.();
  }

  /** A connection that is closed with unread bytes is reset, and the client may lose what it was told. */
  async #forgetRest(buffer: Uint8Array): Promise<void> {
    while (await this.#client.read(buffer) !== null);
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}
