/**
 * Clients that are in nobody's interest: heads and bodies that never end, answers that are not read.
 * @module
 */

const encoder = new TextEncoder();

/** How a slow client keeps its connection. */
export type Slowness = "head" | "body" | "reader";

/** Slow clients of one server. */
export class SlowClients implements AsyncDisposable {
  readonly #port: number;
  readonly #everyMs: number;
  readonly #readerTokens: number;
  readonly #running: Promise<void>[] = [];
  readonly #conns = new Set<Deno.TcpConn>();
  #isOver = false;
  /** Connections that were opened so far: those that are ended are opened again. */
  opened = 0;

  /** `everyMs`: a byte is sent, or some are read, so often. `readerTokens`: what each reader asks for. */
  constructor(port: number, everyMs: number, readerTokens = 400) {
    this.#readerTokens = readerTokens;
    this.#port = port;
    this.#everyMs = everyMs;
  }

  get open(): number {
    return this.#conns.size;
  }

  /** Adds `count` of a kind. */
  start(kind: Slowness, count: number): void {
    for (let i = 0; i < count; i++) this.#running.push(this.#keep(kind));
  }

  async #keep(kind: Slowness): Promise<void> {
    while (!this.#isOver) {
      try {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
        this.opened++;
        this.#conns.add(conn);
        try {
          await (kind === "reader" ? this.#read(conn) : this.#write(conn, kind));
        } finally {
          this.#conns.delete(conn);
          conn.close();
        }
      } catch {
        // Ended by the server, or refused: try again.
      }
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    // They are strangers to each other: what they do does not come all at once.
    const ms = this.#everyMs * (0.5 + Math.random());
    if (!this.#isOver) await new Promise((resolve) => setTimeout(resolve, ms));
  }

  async #write(conn: Deno.TcpConn, kind: "head" | "body"): Promise<void> {
    const head = kind === "head"
      ? "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
      : "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{";
    await conn.write(encoder.encode(head));
    // What the server says ends it.
    const ended = conn.read(new Uint8Array(1024)).then(() => true, () => true);
    while (!this.#isOver) {
      const isEnded = await Promise.race([ended, this.#pause()]);
      if (isEnded) return;
      await conn.write(encoder.encode(" "));
    }
  }

  async #read(conn: Deno.TcpConn): Promise<void> {
    const options = { max_tokens: this.#readerTokens, ignore_eos: true, stream: true, logprobs: 20 };
    const body = JSON.stringify({ prompt: "Once", ...options });
    const head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
      `Content-Length: ${body.length}\r\n\r\n`;
    await conn.write(encoder.encode(head + body));
    const some = new Uint8Array(64);
    while (!this.#isOver) {
      if (await conn.read(some) === null) return;
      await this.#pause();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    for (const conn of this.#conns) {
      try {
        conn.close();
      } catch {
        // It is closed already.
      }
    }
    await Promise.all(this.#running);
  }
}
