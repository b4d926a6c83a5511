/** Prefixes are compared at multiples of so many tokens. */
const STRIDE = 64;

/** A prompt that begins as another one does. */
export interface SharedPrefix {
  /** The request whose prompt it is; until it is computed there is nothing to share. */
  readonly owner: number;
  /** Tokens that both have. */
  readonly tokens: number;
}

/**
 * The beginnings of prompts that are not in the prefix cache yet: who starts after one that begins alike has
 * been computed finds it there. Only a hint: two prefixes with the same hash count as one.
 */
export class PrefixHints {
  /** Those who have a beginning, in the order in which they came. */
  readonly #owners = new Map<string, Set<number>>();

  /**
   * What a prompt has in common with the first of those before it that begin alike. Its last token is always
   * computed.
   */
  peek(tenant: string, tokens: readonly number[]): SharedPrefix | undefined {
    let shared: SharedPrefix | undefined;
    for (const [i, key] of keys(tenant, tokens).entries()) {
      const owners = this.#owners.get(key);
      if (owners === undefined) break;
      const [owner] = owners;
      shared = { owner, tokens: Math.min((i + 1) * STRIDE, tokens.length - 1) };
    }
    return shared;
  }

  /** Notes a request's prompt; returns what {@linkcode PrefixHints.remove} needs. */
  add(owner: number, tenant: string, tokens: readonly number[]): readonly string[] {
    const all = keys(tenant, tokens);
    for (const key of all) {
      const owners = this.#owners.get(key);
      if (owners === undefined) this.#owners.set(key, new Set([owner]));
      else owners.add(owner);
    }
    return all;
  }

  /** Forgets a request's prompt. */
  remove(owner: number, all: readonly string[]): void {
    for (const key of all) {
      const owners = this.#owners.get(key)!;
      owners.delete(owner);
      if (owners.size === 0) this.#owners.delete(key);
    }
  }
}

function keys(tenant: string, tokens: readonly number[]): string[] {
  const all: string[] = [];
  let a = 0x811c9dc5, b = 0x9e3779b9;
  for (let i = 0; i < tokens.length; i++) {
    a = Math.imul(a ^ tokens[i], 0x01000193);
    b = Math.imul(b + tokens[i], 0x85ebca6b) ^ (b >>> 13);
    if ((i + 1) % STRIDE === 0) all.push(`${a >>> 0}:${b >>> 0}:${tenant}`);
  }
  return all;
}
