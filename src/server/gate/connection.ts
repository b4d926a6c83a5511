import type { ApiError } from "../api_error.ts";
import { headTimeout, headTooLarge, responseBytes } from "./answer.ts";
import { hasHead } from "./head.ts";
import type { GateLimits } from "./limits.ts";

/** What a connection needs of its gate. */
export interface ConnectionHost {
  readonly limits: GateLimits;
  /** Ms of a clock that does not jump, as of the gate's last look. */
  readonly now: number;
  /** A client was told that its request's head cannot be taken. `code`: of the error. */
  noteRefusal(code: string): void;
  /** A connection to the server behind. */
  connect(connection: GateConnection): Promise<Deno.TcpConn>;
}

/** A request on its way through the server. */
export interface Passage {
  /** All of it is there. */
  arrive(): void;
  /** It has been answered, or has failed. */
  end(): void;
}

/** What a connection without a request that is all there is worth. */
const Worth = { ending: 0, withoutHead: 1, slowBody: 2, idle: 3, body: 4 } as const;
/** Most bodies are there with their heads. */
const SLOW_BODY_MS = 1000;
/** Bytes read from the server at a time. */
const DOWN_BYTES = 16 << 10;
/** For how long a client that was told something may still read it, and its last bytes are read and forgotten. */
const LINGER_MS = 2000;

/**
 * A client's connection. The first head is kept back until all of it is there. From then on all bytes pass as they are, both
 * ways, and the server behind says when it has begun and ended a request. In between, time and bytes are limited.
 */
export class GateConnection {
  readonly #host: ConnectionHost;
  readonly #client: Deno.TcpConn;
  #server: Deno.TcpConn | null = null;
  #innerPort: number | null = null;
  /** The server is computing so many requests of it. */
  #requests = 0;
  #begunAt = 0;
  /** Those of them that are there with their bodies. */
  #arrived = 0;
  /** Bytes of the client since there was no request. */
  #bytes = 0;
  /** When it has to be further than it is now. */
  #deadline: number;
  #writeDeadline = Infinity;
  /** Nothing more of the client matters. */
  #isEnding = false;
  #isClosed = false;
  /** Lets the client's bytes go on once the server has begun a request. */
  #release: (() => void) | null = null;
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
    if (this.#requests === 0) return this.#server === null ? Worth.withoutHead : Worth.idle;
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
    if (this.#requests++ === 0) this.#begunAt = this.#host.now;
    this.#bytes = 0;
    this.#deadline = Infinity;
    this.#release?.();
    let arrived = 0;
    return {
      arrive: () => {
        this.#arrived += 1 - arrived;
        arrived = 1;
      },
      end: () => {
        this.#arrived -= arrived;
        this.#end();
      },
    };
  }

  #end(): void {
    this.#requests--;
    if (this.#requests > 0 || this.#isEnding) return;
    this.#bytes = 0;
    this.#deadline = this.#host.now + this.#host.limits.idleMs;
  }

  /** Ends it if it has taken too long; tells whether. Called now and then. */
  look(): boolean {
    const { now } = this.#host;
    if (now < this.#writeDeadline && now < this.#deadline) return false;
    if (this.#isEnding || now >= this.#writeDeadline) this.close();
    else if (this.#bytes > 0) this.#endLate();
    else if (this.#server === null) this.close();
    else this.#endServer(null);
    return true;
  }

  /** Says what is wrong with a head that has not come. */
  #endLate(): void {
    const { limits } = this.#host;
    const error = this.#release !== null ? headTooLarge(limits) : headTimeout(limits);
    this.#host.noteRefusal(error.code!);
    if (this.#server !== null) this.#endServer(error);
    else this.#endWith(error).catch(() => this.close());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#release?.();
    this.#client.close();
    this.#server?.close();
  }

  /** Throws where it was closed in the meantime. */
  async #connect(): Promise<Deno.TcpConn> {
    const server = await this.#host.connect(this);
    if (this.#isClosed) server.close();
    this.#innerPort = server.localAddr.port;
    return this.#server = server;
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
      if (hasHead(buffer, before, this.#bytes)) return this.#bytes;
      if (this.#bytes < buffer.length) continue;
      const error = headTooLarge(this.#host.limits);
      this.#host.noteRefusal(error.code!);
      await this.#endWith(error);
      await this.#forgetRest(buffer);
      return 0;
    }
  }

  /** From the client to the server; `length` bytes of the buffer are there already. */
  async #passUp(server: Deno.TcpConn, buffer: Uint8Array, length: number): Promise<void> {
    for (let count: number | null = length; count !== null; count = await this.#client.read(buffer)) {
      if (this.#isEnding) continue;
      if (this.#requests === 0) this.#noteBytes(count, length);
      length = 0;
      try {
        await writeAll(server, buffer.subarray(0, count));
      } catch {
        // Its last words may still be on their way down.
        continue;
      }
      if (this.#requests === 0 && this.#bytes > buffer.length) await this.#untilBegun();
    }
    await server.closeWrite().catch(() => {});
  }

  /** The first bytes after a pause begin a head. */
  #noteBytes(count: number, known: number): void {
    const { now, limits } = this.#host;
    if (this.#bytes === 0) this.#deadline = now + limits.headMs;
    this.#bytes += count - known;
  }

  /** What is more than a head has to wait until the server has seen that there is one. */
  async #untilBegun(): Promise<void> {
    await new Promise<void>((resolve) => this.#release = resolve);
    this.#release = null;
  }

  async #passDown(server: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(DOWN_BYTES);
    while (true) {
      const count = await server.read(buffer).catch(() => null);
      if (count === null) break;
      await this.#tell(buffer.subarray(0, count));
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

  async #endWith(error: ApiError): Promise<void> {
    this.#startEnding();
    await this.#tell(responseBytes(error));
    await this.#client.closeWrite();
  }

  #startEnding(): void {
    this.#isEnding = true;
    this.#deadline = this.#host.now + LINGER_MS;
  }

  /** A connection that is closed with unread bytes is reset, and the client may lose what it was told. */
  async #forgetRest(buffer: Uint8Array): Promise<void> {
    while (await this.#client.read(buffer) !== null);
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}
