import type { ByteSource } from "./byte_source.ts";
import { GgufError } from "./error.ts";
import { GAP_BYTES, TextArray } from "./text_array.ts";

// Small enough that the windows of many refused files do not pile up before they are collected.
const WINDOW_BYTES = 1 << 18;

/**
 * What parsing one header may allocate, whatever the file declares. Llama 3's 128k tokens and 280k merges take 24 MiB,
 * vocabularies half as large again are in use; with the window this stays under 64 MB.
 */
export const HEADER_BUDGET_BYTES = 56 << 20;

/** What an element of a string array costs beside its characters: a slot of the array and the string's header. */
export const STRING_OVERHEAD_BYTES = 40;

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
   * `count` strings, found first and then read at once. The caller has checked `count` against the bytes left.
   */
  texts(count: number, what: string): TextArray {
    this.charge(count * STRING_OVERHEAD_BYTES, what);
    const start = this.position;
    const ends = new Uint32Array(count);
    for (let done = 0; done < count;) {
      done = this.#endsInWindow(ends, done, start, what);
      if (done === count) break;
      // It ends outside the window, or its length does.
      const length = this.count(1, `the length of ${what}[${done}]`);
      this.charge(2 * length, what);
      this.#skip(length);
      ends[done++] = this.position - start;
    }
    const bytes = new Uint8Array(this.position - start);
    this.#source.readAt(start, bytes);
    const texts = TextArray.from(bytes, ends);
    if (typeof texts === "number") throw new GgufError(`${what}[${texts}] is not valid UTF-8`);
    return texts;
  }

  /**
   * Steps over the strings from number `first` on that lie wholly inside the window, notes where they end, counted
   * from position `start`, and gives the number of the next one.
   */
  #endsInWindow(ends: Uint32Array, first: number, start: number, what: string): number {
    const view = this.#view, limit = this.#end, shift = this.#base - start;
    let at = this.#next, done = first;
    for (; done < ends.length && limit - at >= GAP_BYTES; done++) {
      const length = view.getUint32(at, true);
      if (view.getUint32(at + 4, true) !== 0 || length > limit - at - GAP_BYTES) break;
      at += GAP_BYTES + length;
      ends[done] = at + shift;
    }
    this.charge(2 * (at - this.#next - GAP_BYTES * (done - first)), what);
    this.#next = at;
    return done;
  }

  /** Steps over bytes that are known to be there. */
  #skip(length: number): void {
    if (length <= this.#end - this.#next) {
      this.#next += length;
      return;
    }
    this.#base = this.position + length;
    this.#next = this.#end = 0;
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
