/** Durations as people write them: "5m", "1h30m", "45s"; a number alone means seconds. */

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;
const WHOLE = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;

/**
 * Milliseconds of a duration. What is below 0 has no end: Infinity. Throws a RangeError for a text that is none.
 *
 * @example
 * ```ts
 * import { parseDuration } from "./duration.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseDuration("1h30m"), 5_400_000);
 * assertEquals(parseDuration(90), 90_000);
 * assertEquals(parseDuration("-1"), Infinity);
 * ```
 */
export function parseDuration(given: string | number): number {
  const text = typeof given === "number" ? `${given}` : given.trim();
  const isNegative = text.startsWith("-");
  const size = isNegative ? text.slice(1) : text;
  let ms = /^[\d.]/.test(size) ? Number(size) * 1000 : NaN;
  if (WHOLE.test(size)) {
    ms = [...size.matchAll(PART)].reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit], 0);
  }
  if (Number.isNaN(ms)) {
    throw new RangeError(`must be a duration such as 5m, 1h30m or 90 (seconds), current value is ${text}`);
  }
  return isNegative && ms > 0 ? Infinity : ms;
}
