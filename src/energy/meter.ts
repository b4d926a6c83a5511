/** What an instrument outside of the machine has written down: times and watts. @module */

import { countedEnergy, type EnergyProblem, type MeasuredEnergy } from "./joules.ts";

/** A reading of a meter. */
export interface MeterReading {
  /** Ms since 1970. */
  readonly atMs: number;
  readonly watts: number;
}

const TIME_NAMES = ["time", "timestamp", "date", "datetime"];
const WATT_NAMES = ["watts", "watt", "w", "power", "powerw", "activepower"];
/** Where a meter says nothing for longer, or than ten usual distances, it was off. */
const GAP_MS_MAX = 60_000;
const GAP_FACTOR = 10;

/**
 * Reads CSV whose first line names a column with times (dates, or seconds or ms since 1970) and one with
 * watts. Throws a RangeError with the line of what cannot be read.
 */
export function readMeter(text: string): MeterReading[] {
  const { time, watts } = meterColumns(text);
  const lines = text.split(/\r?\n/).slice(1);
  const readings = lines.flatMap((line, i) => {
    if (line.trim() === "") return [];
    const fields = line.split(",").map((field) => field.trim().replace(/^"(.*)"$/, "$1"));
    const reading = { atMs: timeOf(fields[time] ?? ""), watts: fields[watts] ? Number(fields[watts]) : NaN };
    if (Number.isNaN(reading.atMs) || !(reading.watts >= 0 && reading.watts < 1e7)) {
      throw new RangeError(`Line ${i + 2} of the meter cannot be read: ${line.slice(0, 80)}`);
    }
    return [reading];
  });
  if (readings.length < 2) throw new RangeError("A meter needs two readings at least");
  return readings.sort((a, b) => a.atMs - b.atMs);
}

/** Which columns of a meter's CSV have times and watts, by its first line. Throws a RangeError where that names none. */
export function meterColumns(text: string): { readonly time: number; readonly watts: number } {
  const [head] = text.replace(/^\uFEFF/, "").split(/\r?\n/, 1);
  const names = head.split(",").map((name) => name.toLowerCase().replaceAll(/[^a-z]/g, ""));
  const time = names.findIndex((name) => TIME_NAMES.includes(name));
  const watts = names.findIndex((name) => WATT_NAMES.includes(name));
  if (time < 0 || watts < 0) {
    throw new RangeError(
      `The meter's first line must name a time and watts, such as time,watts; it is "${head.slice(0, 80)}"`,
    );
  }
  return { time, watts };
}

function timeOf(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * (Number(text) < 1e11 ? 1000 : 1);
  // Without a zone it is UTC.
  return Date.parse(
    /[Zz]|[+-]\d\d:?\d\d$/.test(text) ? text.replace(" ", "T") : `${text.replace(" ", "T")}Z`,
  );
}

/**
 * Energy between two times, in ms since 1970: watts between two readings lie on the line through them. A
 * problem where the readings do not cover that time, or stop within it.
 */
export function meteredEnergy(
  readings: readonly MeterReading[],
  { fromMs, toMs, idleWatts }: { fromMs: number; toMs: number; idleWatts: number | null },
): MeasuredEnergy | EnergyProblem {
  const first = readings[0].atMs, last = readings[readings.length - 1].atMs;
  const day = (ms: number) => new Date(ms).toISOString();
  if (first > fromMs || last < toMs) {
    return {
      kind: "none",
      reason: `the meter's readings are from ${day(first)} to ${day(last)}, the load was from ${
        day(fromMs)
      } to ${day(toMs)}: clocks may differ, or the meter's file has other times than UTC`,
    };
  }
  if (toMs <= fromMs) {
    return { kind: "none", reason: `there is no time between ${day(fromMs)} and ${day(toMs)}` };
  }
  const gaps = readings.slice(1).map(({ atMs }, i) => atMs - readings[i].atMs).sort((a, b) => a - b);
  const gapMax = Math.min(GAP_MS_MAX, GAP_FACTOR * gaps[Math.floor(gaps.length / 2)]);
  let joules = 0;
  for (const [i, { atMs, watts }] of readings.entries()) {
    const next = readings[i + 1];
    if (next === undefined || next.atMs <= fromMs || atMs >= toMs || next.atMs === atMs) continue;
    if (next.atMs - atMs > Math.max(gapMax, 1000)) {
      return { kind: "none", reason: `the meter says nothing between ${day(atMs)} and ${day(next.atMs)}` };
    }
    const wattsAt = (ms: number) => watts + (next.watts - watts) * (ms - atMs) / (next.atMs - atMs);
    const from = Math.max(atMs, fromMs), to = Math.min(next.atMs, toMs);
    joules += (wattsAt(from) + wattsAt(to)) / 2 * (to - from) / 1000;
  }
  const seconds = (toMs - fromMs) / 1000;
  return countedEnergy({ source: "meter", domains: ["meter"], seconds, joules, idleWatts });
}
