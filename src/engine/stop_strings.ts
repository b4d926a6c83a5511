/**
 * Watches streamed text for stop strings. Text that might be the beginning of one is held back, so that no part
 * of a stop string is ever given out, however the tokens cut it.
 */
export class StopStringFilter {
  readonly #stops: readonly string[];
  #held = "";

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop.length > 0);
  }

  /** Takes more text. Gives what can be shown, and whether a stop string has ended the text. */
  push(text: string): { text: string; stopped: boolean } {
    if (this.#stops.length === 0) return { text, stopped: false };
    const all = this.#held + text;
    const end = this.#firstStop(all);
    if (end !== -1) {
      this.#held = "";
      return { text: all.slice(0, end), stopped: true };
    }
    const keep = this.#possibleStop(all);
    this.#held = all.slice(keep);
    return { text: all.slice(0, keep), stopped: false };
  }

  /** What was held back, once it is known that no more text follows. */
  flush(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }

  /** Where the earliest stop string begins, or −1. */
  #firstStop(text: string): number {
    const found = this.#stops.map((stop) => text.indexOf(stop)).filter((index) => index !== -1);
    return found.length === 0 ? -1 : Math.min(...found);
  }

  /** Where the longest end of `text` begins that is the beginning of a stop string; its length if there is none. */
  #possibleStop(text: string): number {
    const longest = Math.max(...this.#stops.map((stop) => stop.length)) - 1;
    for (let start = Math.max(0, text.length - longest); start < text.length; start++) {
      const end = text.slice(start);
      if (this.#stops.some((stop) => stop.startsWith(end))) return start;
    }
    return text.length;
  }
}
