/** Durations as people write them: "5m", "1h30m", "45s"; a number alone means seconds. */

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;
const WHOLE = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;

/**
 * A wait for a person, rounded up: "31 s", "5 min", "24 h 21 min".
 *
 * @example
 * ```ts
 * import { waitText } from "./duration.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(waitText(87_634_000), "24 h 21 min");
 * ```
 */
export function waitText(ms: number): string {
  const seconds = Math.ceil(ms / 1000), minutes = Math.ceil(ms / 60_000);
  if (seconds < 120) return `${seconds} s`;
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest > 0 ? ` ${rest} min` : ""}`;
}

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
