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
    let bytes = this.#bytesOf(id);
    if (bytes.length === 0) return "";
    if (this.#stripsSpace) {
      this.#stripsSpace = false;
      if (bytes[0] === 0x20) bytes = bytes.subarray(1);
    }
    return this.#decoder.decode(bytes, { stream: true });
  }

  /**
   * The end of the text: U+FFFD when the last character never became complete, else empty. Ready for a new
   * text then.
   */
  flush(): string {
    return this.#decoder.decode();
  }
}
