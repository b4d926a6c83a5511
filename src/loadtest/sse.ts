/** Server-sent events, read as they come. @module */

/** Longest event that is taken: a stream without an end must not fill the memory. */
const EVENT_CHARACTERS_MAX = 16 * 2 ** 20;

/** Cuts a stream into the data of its events, wherever the network has cut it. */
export class SseParser {
  readonly #decoder = new TextDecoder();
  #line = "";
  #data: string[] = [];
  #size = 0;
  #skipLineFeed = false;

  /**
   * Takes the next bytes, gives the data of the events that they complete. Throws a RangeError for an event
   * without an end.
   */
  push(bytes: Uint8Array): string[] {
    return this.#read(this.#decoder.decode(bytes, { stream: true }));
  }

  /** Whether the stream ended in the middle of an event. */
  get isPartial(): boolean {
    return this.#line !== "" || this.#data.length > 0;
  }

  #read(text: string): string[] {
    const events: string[] = [];
    let from = 0;
    // A carriage return ends a line even if nobody knows yet whether a line feed follows.
    if (this.#skipLineFeed && text.startsWith("\n")) from = 1;
    if (text !== "") this.#skipLineFeed = false;
    for (const { 0: end, index } of text.matchAll(/\r\n|\r|\n/g)) {
      if (index < from) continue;
      this.#endLine(this.#line + text.slice(from, index), events);
      this.#line = "";
      from = index + end.length;
      if (end === "\r" && from === text.length) this.#skipLineFeed = true;
    }
    this.#line += text.slice(from);
    if (this.#size + this.#line.length > EVENT_CHARACTERS_MAX) {
      throw new RangeError(`An event has more than ${EVENT_CHARACTERS_MAX} characters`);
    }
    return events;
  }

  #endLine(line: string, events: string[]): void {
    if (line === "") {
      if (this.#data.length > 0) events.push(this.#data.join("\n"));
      this.#data = [];
      this.#size = 0;
    } else if (line === "data" || line.startsWith("data:")) {
      const value = line.slice(5);
      this.#data.push(value.startsWith(" ") ? value.slice(1) : value);
      this.#size += value.length;
    }
  }
}
