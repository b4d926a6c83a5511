/** Texts against grammars, with the library and a small vocabulary. @module */

import { Kernels } from "../../src/ffi/context.ts";
import { type Grammar, TokenTable } from "../../src/ffi/grammars.ts";
import { randomFrom } from "../../src/loadtest/random.ts";
import { compileGrammar, type GrammarSource } from "../../src/grammar/mod.ts";

const PIECES = [
  ...'abcxyzAFZ0159 _-.:,/\\"{}[]\n\t%@#',
  ..."é日本語😀\u2028\u00a0",
  "the ",
  "-01",
  '\\"',
  "\\u00",
  "\\n",
  '":',
  '", "',
  '"}',
  "://",
  "true",
  "null",
];

/** Tokens of a vocabulary: of a few pieces, some cut inside of a character, some twice, some empty, and all bytes. */
export function randomTokens(random: () => number, count: number): Uint8Array[] {
  const encoder = new TextEncoder();
  const tokens = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  while (tokens.length < count) {
    let text = "";
    for (let n = 1 + Math.floor(random() * 5); n > 0; n--) {
      text += PIECES[Math.floor(random() * PIECES.length)];
    }
    const bytes = encoder.encode(text);
    const from = random() < 0.1 ? Math.floor(random() * bytes.length) : 0;
    const to = random() < 0.2 ? Math.floor(random() * bytes.length) + 1 : bytes.length;
    tokens.push(bytes.slice(from, Math.max(from, to)));
  }
  return tokens;
}

/** Texts are UTF-8, or they are none. */
const decoder = new TextDecoder("utf-8", { fatal: true });
const TOKENS = 1000;
/** The token that ends a text. */
const END = TOKENS;

/** Grammars of texts, each with a verdict about whole texts. */
export class TextGrammars implements Disposable {
  readonly #kernels = Kernels.open({ threads: 1, workspaceBytes: 64 });
  readonly #tokens = randomTokens(randomFrom(1), TOKENS);
  readonly #vocabulary = this.#kernels.createVocabulary(TokenTable.of([...this.#tokens, new Uint8Array()]));
  /** Tokens that bring a text nearer to its end. */
  readonly #closing = this.#tokens.map((token) => /^["}\]0 ,:]+$/.test(new TextDecoder().decode(token)));

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
    return this.#kernels.createGrammar(this.#vocabulary, compileGrammar(source), [END]);
  }

  /** A random text of a grammar, token by token, behind `entry`; null where it does not end in time. */
  sample(
    grammar: Grammar,
    random: () => number,
    bytesMax: number,
    entry = new Uint8Array(),
  ): string | null {
    const bytes: number[] = [];
    let state = grammar.acceptBytes(grammar.start(), entry)!;
    while (bytes.length < bytesMax) {
      // Free text would not end by itself.
      if (bytes.length > bytesMax / 3 && random() < 0.05) {
        const way = grammar.closing(state, 4096);
        const rest = way?.flatMap((id) => [...this.#tokens[id]]);
        if (rest !== undefined) return decoder.decode(Uint8Array.from([...bytes, ...rest]));
      }
      const mask = grammar.mask(state);
      const all = Array.from(this.#tokens, (_, id) => id).filter((id) =>
        (mask[id >> 5] >>> (id & 31) & 1) === 1
      );
      const mayEnd = (mask[END >> 5] >>> (END & 31) & 1) === 1;
      if (mayEnd && (all.length === 0 || random() < 0.5)) return decoder.decode(Uint8Array.from(bytes));
      if (all.length === 0) throw new Error("No token may follow, and the text may not end");
      // The longer a text is, the rarer are tokens that make it longer.
      const ending = all.filter((id) => this.#closing[id]);
      const from = ending.length > 0 && random() < 0.4 + bytes.length / bytesMax ? ending : all;
      const id = from[Math.floor(random() * from.length)];
      bytes.push(...this.#tokens[id]);
      const { state: next } = grammar.accept(state, id);
      if (next === undefined) throw new Error(`Token ${id} was allowed and is not taken`);
      state = next;
    }
    return null;
  }

  [Symbol.dispose](): void {
    this.#kernels.close();
  }
}
