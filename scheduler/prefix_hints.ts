/** Prefixes are compared at multiples of so many tokens. */
const STRIDE = 64;

/**
 * The beginnings of prompts that are being computed and not in the prefix cache yet: who comes behind one that begins alike
 * will find it there. Those that still wait do not count: a burst that starts together computes all of it. Only a hint: it is
 * a matter of luck whether the one before is computed by then, and two prefixes with the same hash count as one.
 */
export class PrefixHints {
  readonly #known = new Map<string, number>();

  /** Tokens at the beginning of a prompt that somebody before it has, too. Its last token is always computed. */
  peek(tenant: string, tokens: readonly number[]): number {
    let known = 0;
    for (const [i, key] of keys(tenant, tokens).entries()) {
      if (!this.#known.has(key)) break;
      known = (i + 1) * STRIDE;
    }
    return Math.min(known, tokens.length - 1);
  }

  /** Notes a prompt; returns what {@linkcode PrefixHints.remove} needs. */
  add(tenant: string, tokens: readonly number[]): readonly string[] {
    const all = keys(tenant, tokens);
    for (const key of all) this.#known.set(key, (this.#known.get(key) ?? 0) + 1);
    return all;
  }

  /** Forgets a prompt. */
  remove(all: readonly string[]): void {
    for (const key of all) {
      const left = this.#known.get(key)! - 1;
      if (left > 0) this.#known.set(key, left);
      else this.#known.delete(key);
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
