/**
 * Watches streamed text for stop strings. Text that might be the beginning of one is held back, so that no
 * part of a stop string is ever given out, however the tokens cut it.
 */
export class StopStringFilter {
  readonly #stops: readonly string[];
  #held = "";
  /** So many characters at the beginning of what is held were taken while no stop string counted. */
  #free = 0;

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop.length > 0);
  }

  /**
   * Takes more text. Gives what can be shown, and the stop string that has ended the text, if one has. One
   * that is complete with text for which `mayStop` is false does not.
   */
  push(text: string, mayStop = true): { text: string; stop?: string } {
    if (this.#stops.length === 0) return { text };
    const all = this.#held + text;
    if (!mayStop) this.#free = all.length;
    const first = this.#firstStop(all);
    if (first !== undefined) {
      this.#held = "";
      return { text: all.slice(0, first.at), stop: first.stop };
    }
    const keep = this.#possibleStop(all);
    this.#held = all.slice(keep);
    this.#free = Math.max(0, this.#free - keep);
    return { text: all.slice(0, keep) };
  }

  /** What was held back, once it is known that no more text follows. */
  flush(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }

  /**
   * The earliest stop string that counts, and where it begins; of those that begin there the shortest, which
   * is complete first.
   */
  #firstStop(text: string): { at: number; stop: string } | undefined {
    const from = (stop: string) => this.#free === 0 ? 0 : Math.max(0, this.#free - stop.length + 1);
    return this.#stops.map((stop) => ({ at: text.indexOf(stop, from(stop)), stop }))
      .filter(({ at }) => at !== -1)
      .sort((a, b) => a.at - b.at || a.stop.length - b.stop.length)[0];
  }

  /**
   * Where the longest end of `text` begins that is the beginning of a stop string; its length if there is
   * none.
   */
  #possibleStop(text: string): number {
    const longest = Math.max(...this.#stops.map((stop) => stop.length)) - 1;
    for (let start = Math.max(0, text.length - longest); start < text.length; start++) {
      const end = text.slice(start);
      if (this.#stops.some((stop) => stop.startsWith(end))) return start;
    }
    return text.length;
  }
}
