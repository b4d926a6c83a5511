/** Turns the bytes of tokens into text as they come, never half a character. */
export class StreamDecoder {
  readonly #bytesOf: (id: number) => Uint8Array;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #stripsSpace: boolean;

  /** `stripsSpace`: drop one space at the very start, which encoding had put there. */
  constructor(bytesOf: (id: number) => Uint8Array, stripsSpace: boolean) {
    this.#bytesOf = bytesOf;
    this.#stripsSpace = stripsSpace;
  }

  /**
   * Text that became complete with this token; empty while a character still lacks bytes. Invalid bytes give
   * U+FFFD.
   */
  push(id: number): string {
    const bytes = this.bytesOf(id);
    if (this.#bytesOf(id).length === 0) return "";
    this.#stripsSpace = false;
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** What a token would add to the text if it came next. Not to be changed. */
  bytesOf(id: number): Uint8Array {
    const bytes = this.#bytesOf(id);
    return this.#stripsSpace && bytes[0] === 0x20 ? bytes.subarray(1) : bytes;
  }

  /**
   * The end of the text: U+FFFD when the last character never became complete, else empty. Ready for a new
   * text then.
   */
  flush(): string {
    return this.#decoder.decode();
  }
}
