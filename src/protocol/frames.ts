/**
 * How messages travel through a pipe: frames of a length (4 bytes, little-endian), a kind (1 byte) and as many
 * bytes. A reader gives whole frames alone: what a dead process has left half written is never seen.
 * @module
 */

/** No frame has more bytes: the largest request of a server fits several times over. */
export const FRAME_BYTES_MAX = 2 ** 28;

const HEADER_BYTES = 5;
const KIND_MAX = 255;

/** A stream of bytes holds what no frame can begin with. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/**
 * A frame, ready to be written. `kind`: 0 to 255. Throws a RangeError for another kind, or for more than
 * `bytesMax` bytes.
 *
 * @example
 * ```ts
 * import { frameOf, FrameReader } from "./frames.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const seen: [number, number[]][] = [];
 * const reader = new FrameReader((kind, payload) => seen.push([kind, [...payload]]));
 * const bytes = frameOf(7, new Uint8Array([1, 2, 3]));
 * reader.push(bytes.subarray(0, 6));
 * assertEquals(seen, []);
 * reader.push(bytes.subarray(6));
 * assertEquals(seen, [[7, [1, 2, 3]]]);
 * ```
 */
export function frameOf(
  kind: number,
  payload: Uint8Array = new Uint8Array(),
  bytesMax = FRAME_BYTES_MAX,
): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(kind) || kind < 0 || kind > KIND_MAX) {
    throw new RangeError(`A frame's kind must be an integer from 0 to ${KIND_MAX}, current value is ${kind}`);
  }
  if (payload.length > bytesMax) {
    throw new RangeError(`A message must have at most ${bytesMax} bytes, current value is ${payload.length}`);
  }
  const frame = new Uint8Array(HEADER_BYTES + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length, true);
  frame[4] = kind;
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Puts frames together from the parts in which a pipe gives them. */
export class FrameReader {
  readonly #onFrame: (kind: number, payload: Uint8Array<ArrayBuffer>) => void;
  readonly #bytesMax: number;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  /** Of the frame whose header is there. */
  #payload: Uint8Array<ArrayBuffer> | null = null;
  #payloadBytes = 0;

  /** `onFrame` may keep the payload: it is the frame's own memory. */
  constructor(
    onFrame: (kind: number, payload: Uint8Array<ArrayBuffer>) => void,
    bytesMax = FRAME_BYTES_MAX,
  ) {
    this.#onFrame = onFrame;
    this.#bytesMax = bytesMax;
  }

  /** Whether a frame has begun and not ended. */
  get isWithin(): boolean {
    return this.#headerBytes > 0;
  }

  /** Takes the next bytes. Throws a FrameError for a length that no frame has, before anything is allocated for it. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#payload === null) {
        const part = bytes.subarray(at, at + HEADER_BYTES - this.#headerBytes);
        this.#header.set(part, this.#headerBytes);
        this.#headerBytes += part.length;
        at += part.length;
        if (this.#headerBytes < HEADER_BYTES) return;
        this.#payload = new Uint8Array(this.#length());
      } else {
        const part = bytes.subarray(at, at + this.#payload.length - this.#payloadBytes);
        this.#payload.set(part, this.#payloadBytes);
        this.#payloadBytes += part.length;
        at += part.length;
      }
      if (this.#payloadBytes === this.#payload.length) this.#end(this.#payload);
    }
  }

  #length(): number {
    const length = new DataView(this.#header.buffer).getUint32(0, true);
    if (length <= this.#bytesMax) return length;
    throw new FrameError(`A frame says that it has ${length} bytes; the most is ${this.#bytesMax}`);
  }

  #end(payload: Uint8Array<ArrayBuffer>): void {
    const kind = this.#header[4];
    this.#payload = null;
    this.#headerBytes = this.#payloadBytes = 0;
    this.#onFrame(kind, payload);
  }
}
