/** Lines of files that may be larger than memory. @module */

/** A line, and where in its file it stands. */
export interface FileLine {
  /** From 1. */
  readonly line: number;
  /** Of its first byte. */
  readonly offset: number;
  /** Its bytes without the end; null where they are more than were wanted. */
  readonly bytes: Uint8Array | null;
  /** How many they are. */
  readonly length: number;
  /** Whether it has an end: the last line of a file may have none. */
  readonly isEnded: boolean;
}

const NEWLINE = 10;
const CHUNK_BYTES = 256 << 10;

/** The lines of a file in their order. One that is longer than `bytesMax` is passed over, and told. */
export async function* linesOf(path: string, bytesMax: number): AsyncGenerator<FileLine> {
  using file = await Deno.open(path);
  const gathered = new Gathered(bytesMax);
  let line = 1, offset = 0;
  const take = (isEnded: boolean): FileLine => {
    const { length } = gathered;
    const taken = { line: line++, offset, bytes: gathered.take(), length, isEnded };
    offset += length + 1;
    return taken;
  };
  while (true) {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const count = await file.read(chunk);
    if (count === null) break;
    let start = 0;
    for (let end; (end = chunk.subarray(0, count).indexOf(NEWLINE, start)) >= 0; start = end + 1) {
      gathered.add(chunk.subarray(start, end));
      yield take(true);
    }
    gathered.add(chunk.subarray(start, count));
  }
  if (gathered.length > 0) yield take(false);
}

/** The parts of a line. */
class Gathered {
  readonly #bytesMax: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get length(): number {
    return this.#length;
  }

  add(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > this.#bytesMax) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  take(): Uint8Array | null {
    const [parts, length] = [this.#parts, this.#length];
    this.#parts = [];
    this.#length = 0;
    if (length > this.#bytesMax) return null;
    return parts.length === 1 ? parts[0] : joined(parts, length);
  }
}

/** Parts as one. */
export function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Bytes of a file from a place on. Throws an Error where it has become shorter. */
export async function bytesAt(path: string, offset: number, length: number): Promise<Uint8Array> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const count = await file.read(bytes.subarray(done));
    if (count === null) throw new Error(`${path} has become shorter while it was read`);
    done += count;
  }
  return bytes;
}
