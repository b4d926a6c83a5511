/**
 * The file of a stretch: a head in JSON that says what it is, and the bytes of its KV blocks, each with its checksum, or each encrypted
 * with AES-256-GCM. A file has a key of its own, derived with HKDF from the store's and a salt, so that a block's number is its nonce.
 *
 *     "KUMIKV2\n"  u32 length of the head  head  SHA-256 of all before  blocks, each with its tag behind it where it is encrypted
 *
 * A file is used only if everything in it is as it was written, for exactly the stretch that is looked for.
 * @module
 */

import { NUMERICS_VERSION } from "../../protocol/numerics.ts";
import { VERSION } from "../../protocol/version.ts";

/** A stretch in memory: the bytes of its blocks, by group of layers. */
export type StretchBytes = readonly Uint8Array<ArrayBuffer>[];

/** What a file is of. */
export interface StretchFacts {
  /** Its name, which stands for the model, the tenant and all tokens up to its end. */
  readonly name: string;
  /** Its place among those of its prompt, from 0. */
  readonly index: number;
  /** Blocks, by group of layers. */
  readonly blocks: readonly number[];
  /** Bytes of a block, by group. */
  readonly blockBytes: readonly number[];
}

/** A file that cannot be used; the message says why. */
export class StretchError extends Error {
  override readonly name = "StretchError";
}

interface Head extends StretchFacts {
  readonly kumi: string;
  readonly numerics: number;
  /** SHA-256 of each block, group by group; none where they are encrypted, which has its own check. */
  readonly checksums?: readonly string[];
  /** Of the file's key, in base64. */
  readonly salt?: string;
}

const MAGIC = new TextEncoder().encode("KUMIKV2\n");
const LENGTH_BYTES = 4;
const HASH_BYTES = 32;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_INFO = new TextEncoder().encode("kumi prefix blocks\n");
const HEAD_MAX = 1 << 20;

const digest = async (bytes: Uint8Array<ArrayBuffer>) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/** Bytes of the payload, before encryption. */
export function payloadBytes({ blocks, blockBytes }: Pick<StretchFacts, "blocks" | "blockBytes">): number {
  return blockBytes.reduce((sum, bytes, group) => sum + bytes * blocks[group], 0);
}

/** The parts of the file, one after the other. */
export async function encodeStretch(
  facts: StretchFacts,
  groups: StretchBytes,
  key?: CryptoKey,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const about = { kumi: VERSION, numerics: NUMERICS_VERSION, ...facts };
  if (key === undefined) {
    const checksums = await Promise.all(
      blocksOf(groups, facts).map(async (block) => (await digest(block)).toHex()),
    );
    return [await encodeHead({ ...about, checksums }), ...groups];
  }
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const head = await encodeHead({ ...about, salt: salt.toBase64() });
  const own = await fileKey(key, salt);
  const sealed = await Promise.all(
    blocksOf(groups, facts).map((block, i) => crypto.subtle.encrypt(sealing(i, head), own, block)),
  );
  return [head, ...sealed.map((block) => new Uint8Array(block))];
}

/** A store's key, of which each file's is derived. */
export async function storeKey(secret: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
}

async function fileKey(key: CryptoKey, salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const derived = { name: "HKDF", hash: "SHA-256", salt, info: KEY_INFO };
  return await crypto.subtle.deriveKey(derived, key, { name: "AES-GCM", length: 256 }, false, [
    "encrypt",
    "decrypt",
  ]);
}

/** How a block is sealed: by its place, and to its head. */
function sealing(index: number, head: Uint8Array<ArrayBuffer>) {
  const iv = new Uint8Array(NONCE_BYTES);
  new DataView(iv.buffer).setUint32(0, index, true);
  return { name: "AES-GCM", iv, additionalData: head };
}

async function encodeHead(head: Head): Promise<Uint8Array<ArrayBuffer>> {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const bytes = new Uint8Array(MAGIC.length + LENGTH_BYTES + text.length + HASH_BYTES);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint32(MAGIC.length, text.length, true);
  bytes.set(text, MAGIC.length + LENGTH_BYTES);
  bytes.set(await digest(bytes.subarray(0, -HASH_BYTES)), bytes.length - HASH_BYTES);
  return bytes;
}

/**
 * The blocks of a file's bytes, for the stretch that is wanted. They lie where the file's bytes lay. Throws a StretchError for any
 * other, or one that is damaged.
 */
export async function decodeStretch(
  bytes: Uint8Array<ArrayBuffer>,
  wanted: StretchFacts,
  key?: CryptoKey,
): Promise<StretchBytes> {
  const { head, end } = await decodeHead(bytes);
  if (head.numerics !== NUMERICS_VERSION) {
    throw new StretchError(`it has version ${head.numerics} of kumi's numbers, this is ${NUMERICS_VERSION}`);
  }
  const isWanted = head.name === wanted.name && head.index === wanted.index &&
    JSON.stringify([head.blocks, head.blockBytes]) === JSON.stringify([wanted.blocks, wanted.blockBytes]);
  if (!isWanted) throw new StretchError("it is of another prompt or model than its name says");
  const payload = await openPayload(bytes, end, head, wanted, key);
  const groups: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  for (const [group, size] of wanted.blockBytes.entries()) {
    const end = at + size * wanted.blocks[group];
    groups.push(payload.subarray(at, end));
    at = end;
  }
  if (head.salt === undefined) await checkBlocks(groups, head, wanted);
  return groups;
}

async function decodeHead(bytes: Uint8Array<ArrayBuffer>): Promise<{ head: Head; end: number }> {
  const start = MAGIC.length + LENGTH_BYTES;
  if (bytes.length < start + HASH_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new StretchError("it is no file of a prefix store as this kumi writes them");
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(MAGIC.length, true);
  const end = start + length + HASH_BYTES;
  if (length > HEAD_MAX || end > bytes.length) throw new StretchError("its head is cut off");
  const sum = await digest(bytes.subarray(0, start + length));
  if (sum.some((byte, i) => bytes[start + length + i] !== byte)) {
    throw new StretchError("its head is damaged");
  }
  // What has the right checksum was written by a kumi, or by somebody who can write whatever they like.
  const head: unknown = parsed(new TextDecoder().decode(bytes.subarray(start, start + length)));
  if (typeof head !== "object" || head === null) throw new StretchError("its head is damaged");
  return { head: head as Head, end };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function openPayload(
  bytes: Uint8Array<ArrayBuffer>,
  end: number,
  head: Head,
  wanted: StretchFacts,
  key?: CryptoKey,
): Promise<Uint8Array<ArrayBuffer>> {
  const stored = bytes.subarray(end);
  const isSealed = head.salt !== undefined;
  if (isSealed !== (key !== undefined)) {
    throw new StretchError(
      isSealed ? "it is encrypted, and there is no key" : "it is not encrypted, and there is a key",
    );
  }
  const blocks = wanted.blocks.reduce((sum, count) => sum + count, 0);
  const expected = payloadBytes(wanted) + (isSealed ? blocks * TAG_BYTES : 0);
  if (stored.length !== expected) {
    throw new StretchError(`it has ${stored.length} bytes of blocks, not ${expected}`);
  }
  if (key === undefined) return stored;
  try {
    const own = await fileKey(key, Uint8Array.fromBase64(head.salt!));
    return await openBlocks(
      stored,
      wanted,
      (block, i) => crypto.subtle.decrypt(sealing(i, bytes.subarray(0, end)), own, block),
    );
  } catch {
    throw new StretchError("it is damaged, or encrypted with another key");
  }
}

/** Decrypts the blocks and puts them close together: in pieces, and into memory that is there, since new memory takes longer than decrypting. */
async function openBlocks(
  sealed: Uint8Array<ArrayBuffer>,
  { blocks, blockBytes }: StretchFacts,
  open: (block: Uint8Array<ArrayBuffer>, index: number) => Promise<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const opening: Promise<ArrayBuffer>[] = [];
  let from = 0;
  for (const [group, count] of blocks.entries()) {
    const size = blockBytes[group] + TAG_BYTES;
    for (let i = 0; i < count; i++, from += size) {
      // What is decrypted was copied when this returns.
      opening.push(open(sealed.subarray(from, from + size), opening.length));
    }
  }
  let to = 0;
  for (const block of await Promise.all(opening)) {
    sealed.set(new Uint8Array(block), to);
    to += block.byteLength;
  }
  return sealed.subarray(0, to);
}

async function checkBlocks(groups: StretchBytes, { checksums }: Head, facts: StretchFacts): Promise<void> {
  const blocks = blocksOf(groups, facts);
  if (!Array.isArray(checksums) || checksums.length !== blocks.length) {
    throw new StretchError("its head is damaged");
  }
  const sums = await Promise.all(blocks.map(digest));
  const wrong = sums.findIndex((sum, i) => sum.toHex() !== checksums[i]);
  if (wrong >= 0) throw new StretchError(`block ${wrong} of ${blocks.length} is damaged`);
}

/** Each block of each group. */
function blocksOf(groups: StretchBytes, { blocks, blockBytes }: StretchFacts): Uint8Array<ArrayBuffer>[] {
  return groups.flatMap((bytes, group) =>
    Array.from(
      { length: blocks[group] },
      (_, i) => bytes.subarray(i * blockBytes[group], (i + 1) * blockBytes[group]),
    )
  );
}
