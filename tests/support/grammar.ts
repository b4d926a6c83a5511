/** Texts against grammars, with the library and a vocabulary of single bytes. @module */

import { Kernels } from "../../src/ffi/context.ts";
import type { Grammar } from "../../src/ffi/grammars.ts";
import { compileGrammar, type GrammarSource } from "../../src/grammar/mod.ts";

const END = 256;

/** Grammars of texts, each with a verdict about whole texts. */
export class TextGrammars implements Disposable {
  readonly #kernels = Kernels.open({ threads: 1, workspaceBytes: 64 });
  readonly #bytes = this.#kernels.createVocabulary(
    Array.from({ length: END + 1 }, (_, i) => i < END ? Uint8Array.of(i) : new Uint8Array()),
  );

  /** Whether a text is one of the grammar's. */
  matcher(source: GrammarSource): Disposable & ((text: string) => boolean) {
    const grammar = this.open(source);
    const matches = (text: string) => {
      const state = grammar.acceptBytes(grammar.start(), new TextEncoder().encode(text));
      return state !== undefined && grammar.info(state).mayEnd;
    };
    return Object.assign(matches, { [Symbol.dispose]: () => grammar[Symbol.dispose]() });
  }

  open(source: GrammarSource): Grammar {
    return this.#kernels.createGrammar(this.#bytes, compileGrammar(source), [END]);
  }

  /** A random text of a grammar, byte by byte; null where it does not end in time. */
  sample(grammar: Grammar, random: () => number, bytesMax: number): string | null {
    const bytes: number[] = [];
    let state: number | undefined = grammar.start();
    const closing = [...'"}]0 ,:'].map((c) => c.charCodeAt(0));
    while (bytes.length < bytesMax) {
      const mask = grammar.mask(state!);
      const allowed = (id: number) => (mask[id >> 5] >>> (id & 31) & 1) === 1;
      const all = Array.from({ length: END + 1 }, (_, id) => id).filter(allowed);
      if (all.includes(END) && (all.length === 1 || random() < 0.5)) {
        return new TextDecoder().decode(Uint8Array.from(bytes));
      }
      const ending = all.filter((id) => closing.includes(id));
      const from = ending.length > 0 && random() < 0.4 ? ending : all.filter((id) => id !== END);
      const id = from[Math.floor(random() * from.length)];
      bytes.push(id);
      state = grammar.accept(state!, id).state;
      if (state === undefined) throw new Error(`Byte ${id} was allowed and is not taken`);
    }
    return null;
  }

  [Symbol.dispose](): void {
    this.#kernels.close();
  }
}
