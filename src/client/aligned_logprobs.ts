import { printableBytes, Utf8Scanner } from "../tokenizer/utf8.ts";
import type { TokenLogprob } from "../protocol/answer.ts";

/** A token that was chosen and is not given out yet. */
interface Held {
  readonly token: TokenLogprob;
  /** For each byte, the UTF-16 units of the text before the character that it is in. */
  readonly places: readonly number[];
  /** Units before what comes after it. */
  readonly end: number;
}

/**
 * Gives log-probabilities out with the text that their tokens are in: a token waits while a character of it lacks bytes, or
 * while its text may be the beginning of a stop string. So the bytes of all tokens that were given out, joined, are the text:
 * a token of which a stop string takes the end is cut, one of which it takes everything is left out.
 *
 * It works on the caller's side, so that what an engine held back is not lost with it.
 */
export class AlignedLogprobs {
  readonly #scanner = new Utf8Scanner();
  #held: Held[] = [];
  /** UTF-16 units of text that were given out. */
  #units = 0;

  /** Takes the next tokens and the text that was given out with them. Gives the tokens that are wholly in the text so far. */
  push(tokens: readonly TokenLogprob[], text: string): TokenLogprob[] {
    for (const token of tokens) {
      const places = token.bytes.map((byte) => {
        this.#scanner.push(byte);
        return this.#scanner.unit;
      });
      this.#held.push({ token, places, end: this.#scanner.nextUnit });
    }
    this.#units += text.length;
    const waiting = this.#held.findIndex((held) => !this.#isOut(held));
    return this.#held.splice(0, waiting < 0 ? this.#held.length : waiting).map(({ token }) => token);
  }

  /** A token without bytes is where the text before it ends. */
  #isOut({ places, end }: Held): boolean {
    return places.length === 0 ? end <= this.#units : places.at(-1)! < this.#units;
  }

  /** The text has ended. Gives what is left, as far as the text has it. */
  end(): TokenLogprob[] {
    const rest: TokenLogprob[] = [];
    for (const held of this.#held) {
      const { token, places } = held;
      const bytes = token.bytes.filter((_, i) => places[i] < this.#units);
      if (this.#isOut(held)) rest.push(token);
      else if (bytes.length > 0) rest.push({ ...token, bytes, text: printableBytes(bytes) });
      if (bytes.length < places.length) break;
    }
    this.#held = [];
    return rest;
  }
}
