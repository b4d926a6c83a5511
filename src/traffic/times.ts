/** Times as logs write them. @module */

const DATE = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)([.,]\d+)?\s*(Z|[+-]\d\d:?\d\d)?$/;

/**
 * A date and time with any number of digits behind the second, as ms since 1970; without an offset it is
 * UTC. NaN where it is none.
 */
export function parseDate(text: string): number {
  const match = DATE.exec(text.trim());
  if (match === null) return NaN;
  const [, day, time, fraction = "", offset = "Z"] = match;
  const zone = offset === "Z" ? "Z" : `${offset.slice(0, 3)}:${offset.slice(-2)}`;
  return Date.parse(`${day}T${time}${zone}`) + 1000 * Number(`0${fraction.replace(",", ".")}`);
}

/** Seconds since 1970 are below this until the year 5138, and ms above it since 1973. */
const SECONDS_MAX = 1e11;
/** And ms are below this, µs above. */
const MS_MAX = 1e14;

/** A time of a log: a date, or seconds, ms or µs since 1970. NaN where it is none. */
export function parseLogTime(value: unknown): number {
  if (typeof value === "string" && !/^\d+(\.\d+)?$/.test(value.trim())) return parseDate(value);
  const number = typeof value === "string" ? Number(value) : value;
  if (typeof number !== "number" || !(number >= 0) || !Number.isFinite(number)) return NaN;
  return number < SECONDS_MAX ? 1000 * number : number < MS_MAX ? number : number / 1000;
}
