/** What a setting of a server is. @module */

import type { Kind } from "../../protocol/options/kind.ts";

/** One setting. Its name in the table is its name in the configuration file. */
export interface Setting {
  readonly kind: Kind;
  /** What it is where nobody sets it. */
  readonly fallback?: unknown;
  /** Name of the flag's argument. */
  readonly value?: string;
  readonly alias?: string;
  readonly help: string;
  /** The flag may be given several times; the values are joined with this, or with commas. */
  readonly isList?: boolean | string;
  /** The setting without which it has no effect: it is refused alone. */
  readonly needs?: string;
  /** Throws for a text that cannot be its value. */
  readonly read?: (text: string) => unknown;
}

/** A setting without a word for its argument is a switch, or too much for a flag. */
export function isFileOnly({ kind, value }: Setting): boolean {
  return value === undefined && kind.type !== "boolean";
}
