/** Reads JSON bodies within bounds. @module */

import { ApiError } from "../api_error.ts";

/** Deepest nesting of a JSON document. */
const JSON_DEPTH_MAX = 64;

/** Bounds on a request. */
export interface BodyLimits {
  /** Of one body. */
  readonly bytesMax: number;
  /** Until all of a body has arrived. */
  readonly timeMs: number;
  /** Of all bodies on their way together. */
  readonly totalBytesMax: number;
}

export const BODY_LIMITS: BodyLimits = { bytesMax: 4 << 20, timeMs: 30_000, totalBytesMax: 256 << 20 };

/** What is left of the body is not read. */
const CLOSE = { connection: "close" };

/** Reads bodies, and knows how much of them is in memory. */
export class BodyReader {
  /** They count from the next body on. */
  limits: BodyLimits;
  readonly #onRead: (request: Request) => void;
  #bytes = 0;

  /** `onRead` is told of each request whose body is there. */
  constructor(limits: BodyLimits = BODY_LIMITS, onRead: (request: Request) => void = () => {}) {
    this.limits = limits;
    this.#onRead = onRead;
  }

  /** Most bytes of one body. */
  get bytesMax(): number {
    return this.limits.bytesMax;
  }

  /** Longest time for a body, in ms. */
  get timeMs(): number {
    return this.limits.timeMs;
  }

  /** A body that somebody else reads is there. */
  noteRead(request: Request): void {
    this.#onRead(request);
  }

  /** The value that a request's body holds. Throws an ApiError: 400, 408, 413, 415, 503. */
  async json(request: Request): Promise<unknown> {
    checkType(request.headers);
    const { bytesMax } = this.limits;
    if (Number(request.headers.get("content-length") ?? 0) > bytesMax) throw this.#tooLarge();
    if (request.body === null) throw malformed("The body is empty");
    const bytes = await this.#read(request.body);
    this.#onRead(request);
    if (bytes.length === 0) throw malformed("The body is empty");
    return parseJson(bytes);
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
    const { bytesMax, timeMs, totalBytesMax } = this.limits;
    const reader = body.getReader();
    const late = Promise.withResolvers<never>();
    late.promise.catch(() => {});
    const timer = setTimeout(() => {
      late.reject(
        new ApiError(408, `The body did not arrive within ${timeMs / 1000} s`, {
          code: "body_timeout",
          headers: CLOSE,
        }),
      );
    }, timeMs);
    const parts: Uint8Array[] = [];
    let length = 0;
    try {
      while (true) {
        const { done, value } = await Promise.race([reader.read(), late.promise]);
        if (done) break;
        length += value.length;
        this.#bytes += value.length;
        if (length > bytesMax) throw this.#tooLarge();
        if (this.#bytes > totalBytesMax) {
          throw new ApiError(503, "Too many requests are being read", {
            code: "overloaded",
            headers: CLOSE,
          });
        }
        parts.push(value);
      }
    } catch (error) {
      reader.cancel().catch(() => {});
      if (error instanceof ApiError) throw error;
      throw new ApiError(400, "The body broke off, or its chunks are malformed", {
        code: "incomplete_body",
        headers: CLOSE,
        cause: error,
      });
    } finally {
      clearTimeout(timer);
      this.#bytes -= length;
    }
    return joined(parts, length);
  }

  #tooLarge(): ApiError {
    return new ApiError(413, `The body must have at most ${this.limits.bytesMax} bytes`, {
      code: "body_too_large",
      headers: CLOSE,
    });
  }
}

function checkType(headers: Headers): void {
  const type = headers.get("content-type") ?? "";
  // Web pages can send other types to any server without asking it first.
  if (!/^application\/json *(;|$)/i.test(type)) {
    throw new ApiError(415, "The body must be JSON: send content-type: application/json", {
      param: "content-type",
    });
  }
  const encoding = headers.get("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    throw new ApiError(415, "The body must not be compressed", { param: "content-encoding" });
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** The value of JSON text. Throws an ApiError, 400. */
export function parseJson(bytes: Uint8Array): unknown {
  // Before anything is built from it: a deep value is dear to build and overflows whoever walks it.
  if (isDeeper(bytes, JSON_DEPTH_MAX)) {
    throw new ApiError(400, `The body must not be nested deeper than ${JSON_DEPTH_MAX}`, {
      code: "too_deep",
    });
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw malformed("The body is not UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch {
    throw malformed("The body is not JSON");
  }
}

const QUOTE = 0x22,
  BACKSLASH = 0x5c,
  OPEN_LIST = 0x5b,
  CLOSE_LIST = 0x5d,
  OPEN_OBJECT = 0x7b,
  CLOSE_OBJECT = 0x7d;

/** Whether brackets outside strings nest deeper. All of them are ASCII, so UTF-8 need not be decoded. */
export function isDeeper(bytes: Uint8Array, depthMax: number): boolean {
  let depth = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) i = stringEnd(bytes, i + 1);
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > depthMax) return true;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
  }
  return false;
}

/** Where a string that begins here has its closing quote. */
function stringEnd(bytes: Uint8Array, start: number): number {
  let end = bytes.indexOf(QUOTE, start);
  while (end > 0) {
    let backslashes = 0;
    while (end - 1 - backslashes >= start && bytes[end - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
    end = bytes.indexOf(QUOTE, end + 1);
  }
  return bytes.length;
}

function malformed(message: string): ApiError {
  return new ApiError(400, message, { code: "invalid_json" });
}
