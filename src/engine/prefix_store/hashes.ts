/** Hashes of model files, kept beside the stretches: so that a server that starts again need not read the model for it. @module */

import type { HashStore } from "../../safetensors/model_hash.ts";

const FILE = "model-hashes.json";
const KEPT_MAX = 64;
const HASH = /^[0-9a-f]{64}$/;

/** What the folder has; an empty one where it has none, or a damaged one. */
export async function openHashes(folder: string): Promise<HashStore> {
  const path = `${folder}/${FILE}`;
  const kept = new Map<string, string>(await Deno.readTextFile(path).then(read, () => []));
  return {
    get: (key) => kept.get(key),
    set: (key, sha256) => {
      kept.delete(key);
      kept.set(key, sha256);
      const text = JSON.stringify(Object.fromEntries([...kept].slice(-KEPT_MAX)), null, 1);
      const part = `${folder}/.${crypto.randomUUID()}.part`;
      // Without it the model is only read once more.
      Deno.writeTextFile(part, text, { createNew: true, mode: 0o600 }).then(() => Deno.rename(part, path))
        .catch(() => Deno.remove(part)).catch(() => {});
    },
  };
}

function read(text: string): [string, string][] {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).filter(([, hash]) => typeof hash === "string" && HASH.test(hash));
  } catch {
    return [];
  }
}
