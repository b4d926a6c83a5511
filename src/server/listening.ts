/** Where a server listens: behind a gate, or without. @module */

import { Gate } from "./gate/gate.ts";
import { GATE_LIMITS, type GateLimits } from "./gate/limits.ts";
import type { Listening } from "./gate/listening.ts";
import { isLoopback } from "./guard/origin.ts";

type Handle = (request: Request) => Response | Promise<Response>;

/**
 * Listens. `gate`: its limits where they differ from the defaults; false for none. From this machine alone as
 * many connections may come as there may be at all. Throws a RangeError for limits that cannot be, and Deno's
 * errors.
 */
export function listen(
  address: { readonly hostname: string; readonly port: number },
  gate: Partial<GateLimits> | false,
  handle: Handle,
): Listening {
  try {
    if (gate === false) return new Ungated(address, handle);
    const perAddress = isLoopback(address.hostname) ? { connectionsPerAddress: Infinity } : {};
    return new Gate(address, { ...GATE_LIMITS, ...perAddress, ...gate }, handle);
  } catch (error) {
    throw named(error, address);
  }
}

const LISTEN_PROBLEMS = [
  [Deno.errors.AddrInUse, "another program listens there: end it, or choose another port (--port)"],
  [Deno.errors.AddrNotAvailable, "this machine does not have that address: choose another host (--host)"],
  [Deno.errors.PermissionDenied, "the system does not allow it: ports below 1024 need rights (--port)"],
] as const;

/** The system's errors do not tell where it was to listen. */
function named(error: unknown, { hostname, port }: { hostname: string; port: number }): unknown {
  if (!(error instanceof Error) || error instanceof RangeError || error instanceof Deno.errors.NotCapable) {
    return error;
  }
  const where = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const known = LISTEN_PROBLEMS.find(([type]) => error instanceof type);
  const [type, why] = known ?? [Error, error.message];
  return new type(`cannot listen on ${where}: ${why}`, { cause: error });
}

/** Deno.serve by itself. */
class Ungated implements Listening {
  readonly addr: Deno.NetAddr;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #isCut = Promise.withResolvers<void>();

  constructor(address: { readonly hostname: string; readonly port: number }, handle: Handle) {
    this.#server = Deno.serve({ ...address, onListen: () => {} }, (request) => handle(request));
    this.addr = this.#server.addr;
  }

  async shutdown(): Promise<void> {
    const ended = Promise.all([this.#server.shutdown(), this.#server.finished]);
    await Promise.race([ended, this.#isCut.promise]);
  }

  /**
   * Deno has no way to close connections of a server that shuts down: an abort of its signal would be an
   * uncaught error.
   */
  cut(): void {
    this.#server.unref();
    this.#isCut.resolve();
  }
}
