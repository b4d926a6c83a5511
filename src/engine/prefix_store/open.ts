/** Opens the store that the options name. @module */

import type { PrefixCache } from "../../../scheduler/mod.ts";
import { oneLine } from "../../process/harmless.ts";
import { nodeCrypto } from "../../process/node.ts";
import { printNote } from "../../process/print.ts";
import { PREFIX_STORE_BYTES, type PrefixStoreOptions, STORE_KEY_BYTES } from "../../protocol/options/load.ts";
import type { ModelFiles } from "../../safetensors/model_hash.ts";
import { StoreFolder } from "./folder.ts";
import { storeKey } from "./format.ts";
import { openHashes } from "./hashes.ts";
import { type StoreModel, storeSeed } from "./identity.ts";
import { PrefixStore, type StoreCache } from "./store.ts";

/**
 * Opens the folder; what is given makes the store once there is a cache for it. `files`: the model's. `onRead`: called now and then while
 * these are read; what it throws ends that. Throws a RangeError where the folder
 * cannot be used, or the key is none.
 */
export async function openPrefixStore(
  { dir, bytesMax = PREFIX_STORE_BYTES, key: keyText }: PrefixStoreOptions,
  files: ModelFiles,
  model: Omit<StoreModel, "sha256">,
  kv: Omit<StoreCache, "cache" | "isBusy">,
  onRead: () => void,
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
  const key = secret === undefined ? undefined : await storeKey(secret);
  const names = secret &&
    nodeCrypto().createHash("sha256").update("kumi prefix names\n").update(secret).digest();
  // The first time all of the model is read for it.
  const sha256 = await files.sha256({ store: await openHashes(dir), onRead });
  const seed = storeSeed({ ...model, sha256 }, names);
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
