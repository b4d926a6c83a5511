/**
 * The module that an engine's process runs. This is the answer of a checkout and of JSR's package; npm's carries
 * `engine_entry.npm.ts` in its place.
 * @module
 */

/** What `deno run` is given. */
export function engineEntry(): string {
  return new URL("../../engine/process.ts", import.meta.url).href;
}
