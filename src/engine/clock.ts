/** Ms since 1970, with fractions: the same on the caller's thread and in the engine's, unlike `performance.now()`. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}
