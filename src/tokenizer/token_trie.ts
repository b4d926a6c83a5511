import { PairTable } from "./pair_table.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** The texts of tokens by their code units. */
export class TokenTrie {
  readonly #children = new PairTable(1 << 12);
  readonly #ids: number[] = [-1];

  constructor(vocabulary: Vocabulary) {
    for (const [id, text] of vocabulary.texts.strings().entries()) {
      if (vocabulary.lookup(text) !== id) continue;
      let node = 0;
      for (let i = 0; i < text.length; i++) {
        const unit = text.charCodeAt(i);
        const at = this.#children.find(node, unit);
        if (at >= 0) node = this.#children.first(at);
        else {
          this.#children.add(node, unit, this.#ids.length, 0);
          node = this.#ids.length;
          this.#ids.push(-1);
        }
      }
      this.#ids[node] = id;
    }
  }

  /** Calls `take` for each token that `text` has at `at`, the shortest first. */
  walk(text: string, at: number, take: (end: number, id: number) => void): void {
    let node = 0;
    for (let i = at; i < text.length; i++) {
      const found = this.#children.find(node, text.charCodeAt(i));
      if (found < 0) return;
      node = this.#children.first(found);
      if (this.#ids[node] >= 0) take(i + 1, this.#ids[node]);
    }
  }
}
