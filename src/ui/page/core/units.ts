/** Numbers as people read them. @module */

import { count } from "./words.ts";

const POWERS = [["T", 1e12], ["B", 1e9], ["M", 1e6], ["k", 1e3]] as const;

/** 135,000,000 is 135M. */
export function short(value: number): string {
  const [name, size] = POWERS.find(([, size]) => value >= size) ?? ["", 1];
  const scaled = value / size;
  return `${count(scaled, scaled < 10 && size > 1 ? 1 : 0)}${name}`;
}

const SIZES = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]] as const;

export function bytes(value: number): string {
  const [name, size] = SIZES.find(([, size]) => value >= size) ?? ["B", 1];
  const scaled = value / size;
  return `${count(scaled, scaled < 10 && size > 1 ? 1 : 0)} ${name}`;
}

/** For axes: as few digits as there can be. */
export function briefDuration(ms: number): string {
  const brief = (value: number) => String(Number(value.toPrecision(3)));
  return ms === 0 ? "0" : ms < 1000 ? `${brief(ms)} ms` : `${brief(ms / 1000)} s`;
}

/** Ms below a second, then seconds, then minutes. */
export function duration(ms: number): string {
  if (ms < 1000) return `${count(ms, ms < 10 ? 1 : 0)} ms`;
  if (ms < 60_000) return `${count(ms / 1000, ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round(ms % 60_000 / 1000)} s`;
}
