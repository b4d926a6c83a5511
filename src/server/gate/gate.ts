/**
 * A gate before Deno.serve: limits connections and the heads of requests, and lets bytes pass as they are.
 * @module
 */

import type { ConnectionFigures } from "../metrics/server_metrics.ts";
import { networkOf } from "./address.ts";
import { tooManyConnections } from "./answer.ts";
import { type ConnectionHost, GateConnection } from "./connection.ts";
import { checkGateLimits, type GateLimits } from "./limits.ts";
import type { Passage } from "./passage.ts";
import type { Listening } from "./listening.ts";

/** Where the server behind the gate listens, for the gate alone. */
const INNER_HOST = "127.0.0.1";
const LOOK_MS = 50;
/**
 * Share of the connections that a look may end, and how many at least: those that came together do not hold
 * all others up.
 */
const ENDS_SHARE = 1 / 64, ENDS_MIN = 8;
/** So many refused clients are told why at the same time; more of them are just closed. */
const REFUSALS_MAX = 256;
/** After an accept that failed, as it does where there are no more file descriptors. */
const ACCEPT_AGAIN_MS = 50;

/** What Deno.serve tells a handler. */
type HandlerInfo = Deno.ServeHandlerInfo<Deno.NetAddr>;

/**
 * Listens for clients and passes what they send to a server on a port of this machine that refuses everybody
 * else. It never decides where a request ends: the server tells. So there are no two opinions that a client
 * could play off against each other.
 */
export class Gate implements ConnectionHost, Listening {
  readonly limits: GateLimits;
  readonly #listener: Deno.TcpListener;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /** With a place, and whom it is counted for; the oldest first. */
  readonly #connections = new Map<GateConnection, string>();
  /** On their way out. */
  readonly #refusals = new Set<GateConnection>();
  readonly #passages = new WeakMap<Request, Passage>();
  readonly #byPort = new Map<number, GateConnection>();
  readonly #perNetwork = new Map<string, number>();
  readonly #accepting: Promise<void>;
  #timer: ReturnType<typeof setInterval> | undefined;
  #empty: (() => void) | null = null;
  /** By the error's code, and those that gave way to others. */
  readonly #refused: Record<string, number> = {
    too_many_connections: 0,
    gave_way: 0,
    header_timeout: 0,
    headers_too_large: 0,
    malformed_request: 0,
  };
  now = performance.now();
  isEnding = false;

  /** Throws a RangeError for limits that cannot be, and Deno's errors where it cannot listen. */
  constructor(
    address: { readonly hostname: string; readonly port: number },
    limits: GateLimits,
    handler: (request: Request) => Response | Promise<Response>,
  ) {
    checkGateLimits(limits);
    this.limits = limits;
    this.#listener = Deno.listen(address);
    const inner = { hostname: INNER_HOST, port: 0, onListen: () => {} };
    try {
      this.#server = Deno.serve(inner, (request, info) => this.#handle(request, info, handler));
    } catch (error) {
      this.#listener.close();
      throw error;
    }
    this.#accepting = this.#accept();
  }

  /** Where clients connect. */
  get addr(): Deno.NetAddr {
    return this.#listener.addr;
  }

  get figures(): ConnectionFigures {
    return { open: this.#connections.size, refused: { ...this.#refused } };
  }

  noteRefusal(code: string): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1;
  }

  /** Takes no more connections and resolves when those that are open have ended. */
  async shutdown(): Promise<void> {
    this.isEnding = true;
    this.#listener.close();
    await this.#accepting;
    for (const connection of this.#connections.keys()) if (connection.innerPort === null) connection.close();
    await this.#server.shutdown();
    if (this.#connections.size + this.#refusals.size > 0) {
      await new Promise<void>((resolve) => this.#empty = resolve);
    }
    await this.#server.finished;
  }

  /** Closes all connections at once: with them those to the server behind end, and so it can. */
  cut(): void {
    this.isEnding = true;
    for (const connection of [...this.#connections.keys(), ...this.#refusals]) connection.close();
  }

  /** The server has read the body of a request: its connection is there for more than its place. */
  arrive(request: Request): void {
    this.#passages.get(request)?.arrive();
  }

  /** Aborts when the client of a request has left; reason HALF_CLOSED: it may still read. */
  left(request: Request): AbortSignal | undefined {
    return this.#passages.get(request)?.left;
  }

  async connect(connection: GateConnection): Promise<Deno.TcpConn> {
    const { hostname, port } = this.#server.addr;
    const conn = await Deno.connect({ hostname, port });
    conn.setNoDelay(true);
    // Before the server hears anything of it.
    this.#byPort.set(conn.localAddr.port, connection);
    return conn;
  }

  async #handle(
    request: Request,
    { remoteAddr, completed }: HandlerInfo,
    handler: (request: Request) => Response | Promise<Response>,
  ): Promise<Response> {
    const connection = remoteAddr.hostname === INNER_HOST ? this.#byPort.get(remoteAddr.port) : undefined;
    // Somebody on this machine who goes round the gate.
    if (connection === undefined) {
      return new Response(null, { status: 403, headers: { connection: "close" } });
    }
    const passage = connection.begin();
    this.#passages.set(request, passage);
    if (request.body === null) passage.arrive();
    const end = () => passage.end();
    completed.then(end, end);
    const response = await handler(request);
    if (response.headers.get("connection") === "close") passage.isLast = true;
    return response;
  }

  async #accept(): Promise<void> {
    while (true) {
      try {
        this.#take(await this.#listener.accept());
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_AGAIN_MS));
      }
    }
  }

  #take(conn: Deno.TcpConn): void {
    this.#watch();
    conn.setNoDelay(true);
    const network = networkOf(conn.remoteAddr.hostname);
    const { connectionsMax, connectionsPerAddress } = this.limits;
    const count = () => this.#perNetwork.get(network) ?? 0;
    const connection = new GateConnection(this, conn);
    if (count() >= connectionsPerAddress) this.#makePlace(network);
    if (this.#connections.size >= connectionsMax) this.#makePlace();
    const isOfAddress = count() >= connectionsPerAddress;
    if (!isOfAddress && this.#connections.size < connectionsMax) {
      this.#connections.set(connection, network);
      this.#perNetwork.set(network, count() + 1);
      void connection.run().then(() => this.#forget(connection));
      return;
    }
    const error = tooManyConnections(isOfAddress);
    this.noteRefusal(error.code!);
    if (this.#refusals.size >= REFUSALS_MAX) return connection.close();
    this.#refusals.add(connection);
    void connection.refuse(error).then(() => {
      this.#refusals.delete(connection);
      this.#rest();
    });
  }

  /**
   * Ends the oldest connection without a request, of one network or of all: whoever only holds a place loses
   * it first.
   */
  #makePlace(network?: string): void {
    let cheapest: GateConnection | null = null;
    for (const [connection, of] of this.#connections) {
      if (network !== undefined && of !== network) continue;
      if (connection.worth < (cheapest?.worth ?? Infinity)) cheapest = connection;
    }
    if (cheapest === null) return;
    this.noteRefusal("gave_way");
    cheapest.close();
    this.#forget(cheapest);
  }

  #forget(connection: GateConnection): void {
    const network = this.#connections.get(connection);
    if (network === undefined) return;
    this.#connections.delete(connection);
    const count = this.#perNetwork.get(network)! - 1;
    if (count > 0) this.#perNetwork.set(network, count);
    else this.#perNetwork.delete(network);
    const { innerPort } = connection;
    // Another connection may have the port by now.
    if (innerPort !== null && this.#byPort.get(innerPort) === connection) this.#byPort.delete(innerPort);
    this.#rest();
  }

  /** Looks after connections while there are any. */
  #watch(): void {
    this.now = performance.now();
    this.#timer ??= setInterval(() => {
      this.now = performance.now();
      const all = [...this.#connections.keys(), ...this.#refusals];
      let left = Math.max(ENDS_MIN, all.length * ENDS_SHARE);
      for (const connection of all) if (left > 0 && connection.look()) left--;
    }, LOOK_MS);
  }

  #rest(): void {
    if (this.#connections.size + this.#refusals.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#empty?.();
  }
}
