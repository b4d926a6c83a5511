/** What the two kinds of tokenizers have in common for the Tokenizer above them. */
export interface TokenizerModel {
  /**
   * Appends the ids of text[start, end) to `ids`. The part starts the input or follows a special token; no
   * text in it becomes a control token.
   */
  encode(text: string, start: number, end: number, ids: number[]): void;
  /** Bytes that a normal or byte token stands for. */
  bytesOf(id: number): Uint8Array;
  /** A decoded text drops one space at its start, which encoding had put there. */
  readonly stripsLeadingSpace: boolean;
}
