/**
 * A number with its noun: "1 argument", "2 arguments".
 *
 * @example
 * ```ts
 * import { counted } from "./counted.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([counted(1, "thread"), counted(0, "entry", "entries")], ["1 thread", "0 entries"]);
 * ```
 */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}
