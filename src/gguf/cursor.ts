import type { ByteSource } from "./byte_source.ts";
import { GgufError } from "./error.ts";

// Small enough that the windows of many refused files do not pile up before they are collected.
const WINDOW_BYTES = 1 << 18;

/**
 * What parsing one header may allocate, whatever the file declares. Llama 3's 128k tokens and 280k merges take 24 MiB,
 * vocabularies half as large again are in use; with the window this stays under 64 MB.
 */
export const HEADER_BUDGET_BYTES = 56 << 20;

/** What an element of a string array costs beside its characters: a slot of the array and the string's header. */
export const STRING_OVERHEAD_BYTES = 40;

/** Bytes before a string: its length. */
const LENGTH_BYTES = 8;

/**
 * As many bytes that end with what they begin with nowhere: wherever it is found between two strings, it is
 * the whole of it and no end of one with the beginning of the other.
 */
const SEPARATOR = "\0\0\0\0\0\0\0\x01";
/** The same as two u32. */
const SEPARATOR_WORDS = [0, 0x01000000] as const;

/**
 * Reads little-endian values in order from a {@linkcode ByteSource} through one fixed window.
 *
 * Every read is checked against the bytes that are left, and every allocation against a budget, before it happens.
 */
export class Cursor {
  readonly #source: ByteSource;
  readonly #window: Uint8Array;
  readonly #view: DataView;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** Absolute position of the window's first byte. */
  #base = 0;
  /** Next unread byte, and end of the valid ones, as indices into the window. */
  #next = 0;
  #end = 0;
  #budget: number;
  readonly #budgetBytes: number;

  constructor(source: ByteSource, budgetBytes: number = HEADER_BUDGET_BYTES) {
    this.#source = source;
    this.#window = new Uint8Array(Math.min(WINDOW_BYTES, Math.max(source.bytes, 8)));
    this.#view = new DataView(this.#window.buffer);
    this.#budgetBytes = budgetBytes;
    this.#budget = budgetBytes;
  }

  /** Absolute position of the next byte. */
  get position(): number {
    return this.#base + this.#next;
  }

  get bytesLeft(): number {
    return this.#source.bytes - this.position;
  }

  /** Bytes charged to the budget so far. */
  get chargedBytes(): number {
    return this.#budgetBytes - this.#budget;
  }

  /** Takes `bytes` from the budget before the caller allocates them. */
  charge(bytes: number, what: string): void {
    if (bytes > this.#budget) {
      throw new GgufError(`${what} would need ${bytes} bytes of memory, more than a header may take`);
    }
    this.#budget -= bytes;
  }

  u8(what: string): number {
    return this.#view.getUint8(this.#take(1, what));
  }

  i8(what: string): number {
    return this.#view.getInt8(this.#take(1, what));
  }

  u16(what: string): number {
    return this.#view.getUint16(this.#take(2, what), true);
  }

  i16(what: string): number {
    return this.#view.getInt16(this.#take(2, what), true);
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#take(4, what), true);
  }

  i32(what: string): number {
    return this.#view.getInt32(this.#take(4, what), true);
  }

  f32(what: string): number {
    return this.#view.getFloat32(this.#take(4, what), true);
  }

  f64(what: string): number {
    return this.#view.getFloat64(this.#take(8, what), true);
  }

  u64(what: string): bigint {
    return this.#view.getBigUint64(this.#take(8, what), true);
  }

  i64(what: string): bigint {
    return this.#view.getBigInt64(this.#take(8, what), true);
  }

  /** A u64 that counts things of at least `bytesMin` bytes each that follow in the file; checked against the bytes left. */
  count(bytesMin: number, what: string): number {
    const value = this.u64(what);
    const max = Math.floor(this.bytesLeft / bytesMin);
    if (value > BigInt(max)) {
      throw new GgufError(`${what} is ${value}, and the rest of the file has room for at most ${max}`);
    }
    return Number(value);
  }

  /** A string: u64 length in bytes, then UTF-8. */
  string(what: string, bytesMax = Infinity): string {
    const length = this.count(1, `the length of ${what}`);
    if (length > bytesMax) {
      throw new GgufError(`the length of ${what} is ${length}, more than the ${bytesMax} that are allowed`);
    }
    const inWindow = length <= this.#window.length;
    // Two bytes a character in memory at worst, and the encoded bytes as well when the window cannot hold them.
    this.charge((inWindow ? 2 : 3) * length + STRING_OVERHEAD_BYTES, what);
    let bytes: Uint8Array;
    if (inWindow) {
      const start = this.#take(length, what);
      bytes = this.#window.subarray(start, start + length);
    } else {
      bytes = new Uint8Array(length);
      this.bytesInto(bytes, what);
    }
    const text = this.#tryDecode(bytes);
    if (text === null) throw new GgufError(`${what} is not valid UTF-8`);
    return text;
  }

  /** Fills `target` with the next bytes. */
  bytesInto(target: Uint8Array, what: string): void {
    this.#assertLeft(target.length, what);
    const buffered = Math.min(this.#end - this.#next, target.length);
    target.set(this.#window.subarray(this.#next, this.#next + buffered));
    this.#next += buffered;
    if (buffered === target.length) return;
    const rest = target.subarray(buffered);
    this.#source.readAt(this.position, rest);
    this.#base = this.position + rest.length;
    this.#next = 0;
    this.#end = 0;
  }

  /**
   * `count` strings, decoded a window at a time: one decoder call for thousands of strings, because a call for each is
   * ten times slower. The caller has checked `count` against the bytes left.
   */
  strings(count: number, what: string): string[] {
    this.charge(count * STRING_OVERHEAD_BYTES, what);
    const out = new Array<string>(count);
    let done = 0;
    while (done < count) {
      const taken = this.#stringsInWindow(out, done, what);
      if (taken === 0) {
        // Its end lies outside the window: take it alone, which refills the window.
        out[done] = this.string(`${what}[${done}]`);
        done += 1;
      }
      done += taken;
    }
    return out;
  }

  /**
   * Decodes the strings that lie wholly inside the window into `out[first…]`; returns how many. Their length
   * fields become separators, so that all decode as one text: a look at each byte would take a cold program
   * ten times as long.
   */
  #stringsInWindow(out: string[], first: number, what: string): number {
    const start = this.#next;
    const ends: number[] = [];
    let at = start;
    while (first + ends.length < out.length && this.#end - at >= LENGTH_BYTES) {
      const length = this.#view.getUint32(at, true);
      if (this.#view.getUint32(at + 4, true) !== 0 || length > this.#end - at - LENGTH_BYTES) break;
      this.#view.setUint32(at, SEPARATOR_WORDS[0], true);
      this.#view.setUint32(at + 4, SEPARATOR_WORDS[1], true);
      at += LENGTH_BYTES + length;
      ends.push(at);
    }
    if (ends.length === 0) return 0;
    this.charge(2 * (at - start - LENGTH_BYTES * ends.length), what);
    const parts = this.#tryDecode(this.#window.subarray(start, at))?.split(SEPARATOR) ?? [];
    // As many parts as strings, and the nothing before the first: no string has a separator inside.
    const isWhole = parts.length === ends.length + 1;
    for (let i = 0; i < ends.length; i++) {
      const text = isWhole ? parts[i + 1] : this.#decodeAt((ends[i - 1] ?? start) + LENGTH_BYTES, ends[i]);
      if (text === null) throw new GgufError(`${what}[${first + i}] is not valid UTF-8`);
      out[first + i] = text;
    }
    this.#next = at;
    return ends.length;
  }

  #decodeAt(start: number, end: number): string | null {
    return this.#tryDecode(this.#window.subarray(start, end));
  }

  #tryDecode(bytes: Uint8Array): string | null {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      return null;
    }
  }

  #assertLeft(length: number, what: string): void {
    if (length > this.bytesLeft) {
      throw new GgufError(`the file ends inside ${what}: ${length} bytes needed, ${this.bytesLeft} left`);
    }
  }

  /** Makes the next `length` bytes (at most a window) contiguous, steps over them, and returns where they start. */
  #take(length: number, what: string): number {
    if (this.#end - this.#next < length) this.#refill(length, what);
    const start = this.#next;
    this.#next += length;
    return start;
  }

  #refill(length: number, what: string): void {
    this.#assertLeft(length, what);
    this.#base += this.#next;
    this.#next = 0;
    this.#end = Math.min(this.#window.length, this.#source.bytes - this.#base);
    this.#source.readAt(this.#base, this.#window.subarray(0, this.#end));
  }
}
