/** Signatures of receipts: Ed25519 by Web Crypto. @module */

import { canonicalJson } from "./canonical.ts";
import type { Receipt } from "./receipt.ts";

const ALGORITHM = "Ed25519";
const PRIVATE_LABEL = "PRIVATE KEY";
const PUBLIC_LABEL = "PUBLIC KEY";
const PUBLIC_BYTES = 32;
const BASE64URL = { alphabet: "base64url", omitPadding: true } as const;

/** A key that signs receipts. */
export interface ReceiptKey {
  readonly privateKey: CryptoKey;
  /** 32 bytes in base64url: what receipts name. */
  readonly publicKey: string;
}

/** The texts of a new pair's two files, in PEM. */
export async function newReceiptKey(): Promise<{ privatePem: string; publicPem: string; publicKey: string }> {
  const pair = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as CryptoKeyPair;
  return {
    privatePem: pem(PRIVATE_LABEL, await crypto.subtle.exportKey("pkcs8", pair.privateKey)),
    publicPem: pem(PUBLIC_LABEL, await crypto.subtle.exportKey("spki", pair.publicKey)),
    publicKey: await rawText(pair.publicKey),
  };
}

/** The key in the text of a file. Throws a TypeError where it has none. */
export async function readReceiptKey(text: string): Promise<ReceiptKey> {
  const der = derOf(text, PRIVATE_LABEL);
  const wrong = () => new TypeError("It has no Ed25519 key in PKCS #8, as `kumi keygen` writes it");
  if (der === null) throw wrong();
  try {
    const privateKey = await crypto.subtle.importKey("pkcs8", der, ALGORITHM, true, ["sign"]);
    const { x } = await crypto.subtle.exportKey("jwk", privateKey);
    return { privateKey, publicKey: x! };
  } catch {
    throw wrong();
  }
}

/** The public key in the text of a file, or the key itself in base64url. Throws a TypeError where it has none. */
export async function readPublicKey(text: string): Promise<string> {
  try {
    const der = derOf(text, PUBLIC_LABEL);
    if (der !== null) {
      return await rawText(await crypto.subtle.importKey("spki", der, ALGORITHM, true, ["verify"]));
    }
    const raw = Uint8Array.fromBase64(text.trim(), { alphabet: "base64url" });
    if (raw.length === PUBLIC_BYTES) return raw.toBase64(BASE64URL);
  } catch {
    // said below
  }
  throw new TypeError("It has no public Ed25519 key, in PEM or as 32 bytes in base64url");
}

/** The receipt with a signature in place of any that it has. */
export async function signReceipt(receipt: Receipt, { privateKey, publicKey }: ReceiptKey): Promise<Receipt> {
  const signed = await crypto.subtle.sign(ALGORITHM, privateKey, signedBytes(receipt));
  const signature = { key: publicKey, ed25519: new Uint8Array(signed).toBase64(BASE64URL) };
  return { ...receipt, signature };
}

/** Whether a receipt's signature is that of its key; undefined where it has none. */
export async function hasValidSignature(receipt: Receipt): Promise<boolean | undefined> {
  const { signature } = receipt;
  if (signature === undefined) return undefined;
  try {
    const raw = Uint8Array.fromBase64(signature.key, { alphabet: "base64url" });
    const key = await crypto.subtle.importKey("raw", raw, ALGORITHM, false, ["verify"]);
    const value = Uint8Array.fromBase64(signature.ed25519, { alphabet: "base64url" });
    return await crypto.subtle.verify(ALGORITHM, key, value, signedBytes(receipt));
  } catch {
    return false;
  }
}

function signedBytes({ signature: _, ...rest }: Receipt): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(canonicalJson(rest));
}

async function rawText(key: CryptoKey): Promise<string> {
  return new Uint8Array(await crypto.subtle.exportKey("raw", key)).toBase64(BASE64URL);
}

function pem(label: string, der: ArrayBuffer): string {
  const lines = new Uint8Array(der).toBase64().match(/.{1,64}/g)!;
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

function derOf(text: string, label: string): Uint8Array<ArrayBuffer> | null {
  const [, base64] =
    new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`).exec(text) ?? [];
  if (base64 === undefined) return null;
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    return null;
  }
}
