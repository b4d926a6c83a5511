/**
 * Modules of Node, loaded when they are first used. An `import` of one is loaded with the program, and with each
 * worker again: `node:crypto` alone would take a fifth of the time from a command to its first token.
 *
 * Loading lets promises that are waiting go on, as if the caller had returned: whoever is in the middle of something calls these
 * beforehand.
 * @module
 */

import { once } from "./once.ts";

const known = globalThis as unknown as { process: { getBuiltinModule(name: string): unknown } };

function later<Module>(name: string): () => Module {
  return once(() => known.process.getBuiltinModule(name) as Module);
}

/** `node:crypto`, for hashes of what comes in parts, and within functions that cannot wait. */
export const nodeCrypto = later<typeof import("node:crypto")>("node:crypto");
/** `node:url`, for the paths of file URLs. */
export const nodeUrl = later<typeof import("node:url")>("node:url");
/** `node:v8`, for structured clones as bytes. */
export const nodeV8 = later<typeof import("node:v8")>("node:v8");
