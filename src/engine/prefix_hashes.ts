import { nodeCrypto } from "../process/node.ts";

/** Bytes of a hash that are told: of a million blocks, two are mistaken for each other with odds of 1 to 500. */
const HASH_BYTES = 6;

/**
 * A keyed hash for each full block of a prompt, of all that stands before its end: prompts of one tenant have
 * as many first hashes in common as they share blocks. Whoever has the hashes and not the key learns nothing
 * else. SHA-256 of the key and the text, of which a part is told: enough to tell blocks apart, too little to
 * go on hashing from.
 */
export function prefixHashes(
  key: string,
  tenant: string,
  tokens: readonly number[],
  blockTokens: number,
): string[] {
  const hash = nodeCrypto().createHash("sha256").update(`${key.length} ${key}${tenant.length} ${tenant}`);
  const bytes = new Uint8Array(Int32Array.from(tokens).buffer);
  const blockBytes = 4 * blockTokens;
  return Array.from({ length: Math.floor(tokens.length / blockTokens) }, (_, i) => {
    hash.update(bytes.subarray(i * blockBytes, (i + 1) * blockBytes));
    return hash.copy().digest().subarray(0, HASH_BYTES).toString("base64url");
  });
}
