/** Opens the store that the options name. @module */

import { createHash } from "node:crypto";
import type { PrefixCache } from "../../../scheduler/mod.ts";
import { oneLine } from "../../process/harmless.ts";
import { printNote } from "../../process/print.ts";
import { PREFIX_STORE_BYTES, type PrefixStoreOptions, STORE_KEY_BYTES } from "../../protocol/options/load.ts";
import type { ModelFiles } from "../../safetensors/model_hash.ts";
import { StoreFolder } from "./folder.ts";
import { openHashes } from "./hashes.ts";
import { type StoreModel, storeSeed } from "./identity.ts";
import { PrefixStore, type StoreCache } from "./store.ts";

/** A model's hash that is known from before is there within this time, in ms; reading the model takes longer, and nobody waits. */
const KNOWN_WITHIN_MS = 200;

/**
 * Opens the folder; what is given makes the store once there is a cache for it. `files`: the model's. Throws a RangeError where the folder
 * cannot be used, or the key is none.
 */
export async function openPrefixStore(
  { dir, bytesMax = PREFIX_STORE_BYTES, key: keyText }: PrefixStoreOptions,
  files: ModelFiles,
  model: Omit<StoreModel, "sha256">,
  kv: Omit<StoreCache, "cache" | "isBusy">,
): Promise<(cache: PrefixCache, isBusy: () => boolean) => PrefixStore> {
  const secret = keyText === undefined ? undefined : keyBytes(keyText);
  const folder = new StoreFolder(dir, bytesMax);
  try {
    await folder.open();
  } catch (error) {
    throw new RangeError(
      `Option "prefixStore": the folder ${dir} cannot be used: ${(error as Error).message}`,
    );
  }
  const key = secret === undefined
    ? undefined
    : await crypto.subtle.importKey("raw", secret, "AES-GCM", false, ["encrypt", "decrypt"]);
  const names = secret && createHash("sha256").update("kumi prefix names\n").update(secret).digest();
  const hashes = await openHashes(dir);
  const seed = files.sha256(hashes).then((sha256) => storeSeed({ ...model, sha256 }, names));
  seed.catch(() => {});
  await Promise.race([seed.catch(() => {}), new Promise((resolve) => setTimeout(resolve, KNOWN_WITHIN_MS))]);
  const onProblem = (problem: string) => printNote(`kumi: prefix store: ${oneLine(problem)}`);
  return (cache, isBusy) => new PrefixStore({ folder, seed, key, onProblem }, { ...kv, cache, isBusy });
}

function keyBytes(text: string): Uint8Array<ArrayBuffer> {
  try {
    const bytes = Uint8Array.fromBase64(text.trim());
    if (bytes.length === STORE_KEY_BYTES) return bytes;
  } catch {
    // said below
  }
  throw new RangeError(`Option "prefixStore": the key must be ${STORE_KEY_BYTES} bytes in base64`);
}
