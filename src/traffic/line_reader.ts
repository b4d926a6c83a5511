import type { TrafficRequest } from "./traffic.ts";

/** What a line says. Times are in ms and may count from anywhere; blocks have any names. */
export type ReadLine =
  | Omit<TrafficRequest, "blocks"> & { readonly blocks?: readonly (string | number)[] }
  | { readonly refusedAtMs: number }
  | { readonly skip: string }
  /** A line that says something of those after it. */
  | { readonly head: { readonly blockTokens?: number; readonly startedAtMs: number } };

/** Reads the lines of one format, one after another. */
export interface LineReader {
  read(line: string): ReadLine;
  /** Whether its times are ms since 1970; one that has heads tells by them. */
  readonly isDated: boolean;
  /** Tokens of a block, where no head says so. */
  readonly blockTokens: number;
}

/** A JSON object of a line; null where it is none. */
export function parseObject(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** What makes a line no request. */
export function skip(reason: string): ReadLine {
  return { skip: reason };
}

/** A value of a line as a message shows it. */
export function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 40);
}
