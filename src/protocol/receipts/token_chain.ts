/** Hashes of tokens, by which a prompt and an answer are proven without telling their text. @module */

import { nodeCrypto } from "../../process/node.ts";

/** What is told of a prompt where an answer is to be proven. */
export interface PromptDigest {
  /** SHA-256 of its tokens, in hex. */
  readonly sha256: string;
  /**
   * The first link of the answer's chain, in hex: another hash of the same tokens. It is told to nobody, so that whoever does not
   * know the prompt cannot try out an answer's tokens one after the other.
   */
  readonly start: string;
}

/** Bytes of a link that are told for each token. */
const MARK_BYTES = 2;
const PROMPT_LABEL = "kumi prompt 1\n";
const START_LABEL = "kumi answer 1\n";

/** As u32 in little endian. */
function bytesOf(tokens: ArrayLike<number>): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * tokens.length));
  for (let i = 0; i < tokens.length; i++) view.setUint32(4 * i, tokens[i], true);
  return new Uint8Array(view.buffer);
}

const sha256 = (...parts: (string | Uint8Array)[]) =>
  parts.reduce((hash, part) => hash.update(part), nodeCrypto().createHash("sha256")).digest();

/** The hashes of a prompt. */
export function digestPrompt(tokens: ArrayLike<number>): PromptDigest {
  const bytes = bytesOf(tokens);
  return {
    sha256: sha256(PROMPT_LABEL, bytes).toString("hex"),
    start: sha256(START_LABEL, bytes).toString("hex"),
  };
}

/**
 * Follows an answer's tokens: each link is the SHA-256 of the one before and the token, so the last one stands for all of them
 * behind their prompt. Two bytes of every link are kept as marks, which tell from where on two answers differ.
 */
export class TokenChain {
  #link: Uint8Array;
  readonly #marks: number[] = [];

  constructor({ start }: Pick<PromptDigest, "start">) {
    this.#link = Uint8Array.fromHex(start);
  }

  push(tokens: ArrayLike<number>): void {
    for (let i = 0; i < tokens.length; i++) {
      this.#link = sha256(this.#link, bytesOf([tokens[i]]));
      this.#marks.push(...this.#link.subarray(0, MARK_BYTES));
    }
  }

  get tokens(): number {
    return this.#marks.length / MARK_BYTES;
  }

  /** Of all tokens so far, in hex. */
  get sha256(): string {
    return this.#link.toHex();
  }

  /** In base64url. */
  get marks(): string {
    return Uint8Array.from(this.#marks).toBase64({ alphabet: "base64url", omitPadding: true });
  }
}

/** Tokens that marks are of. Throws a SyntaxError where they are none. */
export function markedTokens(marks: string): number {
  const { length } = readMarks(marks);
  if (length % MARK_BYTES !== 0) throw new SyntaxError(`marks have ${length} bytes, which must be even`);
  return length / MARK_BYTES;
}

/**
 * The first token, from 0, in which two answers to one prompt differ; where one ends before the other, the first that only the
 * longer one has. Undefined where their marks are the same. A difference is overlooked, and told a token later, once in 65,536 times.
 */
export function firstDifference(a: string, b: string): number | undefined {
  const [one, other] = [readMarks(a), readMarks(b)];
  const common = Math.min(one.length, other.length);
  for (let i = 0; i < common; i++) if (one[i] !== other[i]) return Math.floor(i / MARK_BYTES);
  return one.length === other.length ? undefined : common / MARK_BYTES;
}

function readMarks(marks: string): Uint8Array {
  return Uint8Array.fromBase64(marks, { alphabet: "base64url" });
}
