/**
 * Ms since 1970, with fractions: the same on the caller's thread and in the engine's, unlike
 * `performance.now()`.
 */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}

/** What the caller's side needs of time; tests bring their own. */
export interface Timer {
  /** Ms; never goes backwards. */
  now(): number;
  /** Calls back every so many ms, until the function that it gives is called. */
  every(ms: number, callback: () => void): () => void;
}

/** Time as it passes. */
export const systemTimer: Timer = {
  now: () => performance.now(),
  every(ms, callback) {
    const interval = setInterval(callback, ms);
    return () => clearInterval(interval);
  },
};
