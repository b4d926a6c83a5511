/**
 * The only place that writes lines to stdout and stderr: whatever a line holds, no escape sequence gets out.
 * Names and messages of others that belong inside a line are made one with `oneLine` by those who write it.
 * @module
 */

import { harmless, indented } from "./harmless.ts";

/** Writes lines to stdout. */
export function printLine(text: string): void {
  console.log(harmless(text));
}

/** Writes lines to stderr. */
export function printNote(text: string): void {
  console.error(harmless(text));
}

/** Writes to stderr what went wrong inside, with its stack and its causes. */
export function printFault(what: string, thrown: unknown): void {
  console.error(`${harmless(what)} ${indented(Deno.inspect(thrown))}`);
}
