/** API keys: kept as hashes, compared in constant time. @module */

import { createHash, timingSafeEqual } from "node:crypto";
import { ApiError } from "../api_error.ts";

const KEY = /^[\x21-\x7e]{8,512}$/;
/** What a key that is none is told. */
export const KEY_RULE = "an API key has 8 to 512 printable characters without spaces";
const TENANT_CHARACTERS = 16;
/** Where keys may stand beside Authorization. */
const KEY_HEADERS = ["x-api-key", "api-key"];

interface Entry {
  readonly hash: Uint8Array;
  readonly tenant: string;
}

/** Whether a text can be an API key. */
export function isApiKey(text: string): boolean {
  return KEY.test(text);
}

/** The keys that open the server. Without any it is open to all. */
export class ApiKeys {
  readonly #entries: Entry[];

  /** Throws a RangeError for a key that cannot be one; it does not write the key. */
  constructor(keys: Iterable<string>) {
    const unique = new Set(keys);
    this.#entries = [...unique].map((key, i) => {
      if (!isApiKey(key)) throw new RangeError(`API key ${i + 1}: ${KEY_RULE}`);
      return { hash: sha256(key), tenant: tenantOf(key) };
    });
  }

  get isOpen(): boolean {
    return this.#entries.length === 0;
  }

  /**
   * Whose request it is: a hash of the key in its headers, "" where no keys are asked for. Clients of
   * different interfaces have different headers for it, and some send one of them with a placeholder: one
   * good key is enough. `others`: headers that count where it goes. Throws an ApiError, 401. Takes as long
   * for one key as for another.
   */
  tenant(headers: Headers, others: readonly string[] = []): string {
    if (this.isOpen) return "";
    const names = new Set([...others, ...KEY_HEADERS]);
    const given = [
      /^bearer +([\x21-\x7e]+) *$/i.exec(headers.get("authorization") ?? "")?.[1],
      ...[...names].map((name) => headers.get(name)?.trim()),
    ].filter((key) => key);
    if (given.length === 0) {
      throw unauthorized(
        `An API key is needed: send it as Authorization: Bearer KEY, or in ${[...names].join(" or ")}`,
        "missing_api_key",
      );
    }
    let found: Entry | undefined;
    for (const key of given) {
      const hash = sha256(key!);
      for (const entry of this.#entries) if (timingSafeEqual(entry.hash, hash)) found ??= entry;
    }
    if (found === undefined) throw unauthorized("The API key is not known", "invalid_api_key");
    return found.tenant;
  }
}

/**
 * Keys of a file: one a line, after it a name if wanted; empty lines and lines that begin with # count for
 * nothing.
 */
export function parseKeyFile(
  text: string,
): { readonly key: string; readonly name?: string; readonly line: number }[] {
  const lines = text.split(/\r?\n/).map((content, i) => ({ content: content.trim(), line: i + 1 }));
  return lines.filter(({ content }) => content !== "" && !content.startsWith("#"))
    .map(({ content, line }) => {
      const [key, ...name] = content.split(/\s+/);
      return { key, ...name.length === 0 ? {} : { name: name.join(" ") }, line };
    });
}

function unauthorized(message: string, code: string): ApiError {
  return new ApiError(401, message, { code, headers: { "www-authenticate": "Bearer" } });
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** Another hash than the one that keys are compared by: it is written into logs. */
export function tenantOf(key: string): string {
  return createHash("sha256").update(`kumi tenant\0${key}`).digest("hex").slice(0, TENANT_CHARACTERS);
}
