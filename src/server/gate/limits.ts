/** Bounds on connections, which Deno.serve does not have. @module */

export interface GateLimits {
  /** For the head of a request to arrive: of a connection's first one from its beginning on. */
  readonly headMs: number;
  /** Of a request's head. */
  readonly headBytes: number;
  /** For which a connection may stay open between requests. */
  readonly idleMs: number;
  /** For which a client may take nothing of what waits for it. */
  readonly stalledMs: number;
  /** Most connections at a time. */
  readonly connectionsMax: number;
  /** Most of them from one address; of IPv6 from one /64. */
  readonly connectionsPerAddress: number;
}

/**
 * `connectionsPerAddress` where others than this machine can connect; on this machine, a proxy may be all
 * there is.
 */
export const GATE_LIMITS: GateLimits = {
  headMs: 10_000,
  headBytes: 16 << 10,
  idleMs: 60_000,
  stalledMs: 30_000,
  connectionsMax: 1024,
  connectionsPerAddress: 64,
};

/** Throws a RangeError for limits that cannot be. */
export function checkGateLimits(limits: GateLimits): void {
  for (const [name, value] of Object.entries(limits)) {
    if (typeof value !== "number" || !(value > 0)) {
      throw new RangeError(`Option "gate.${name}" must be a positive number, current value is ${value}`);
    }
  }
}
