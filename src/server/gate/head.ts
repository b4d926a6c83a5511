/** Finds where a request's head ends. It only serves limits: what the bytes mean is for the server behind to say. @module */

const LINE_FEED = 0x0a,
  CARRIAGE_RETURN = 0x0d;

/** Whether the first `length` bytes have an empty line of which the end is at `from` or behind it. */
export function hasHead(bytes: Uint8Array, from: number, length: number): boolean {
  for (
    let at = bytes.indexOf(LINE_FEED, from);
    at >= 0 && at < length;
    at = bytes.indexOf(LINE_FEED, at + 1)
  ) {
    const before = at > 0 && bytes[at - 1] === CARRIAGE_RETURN ? at - 2 : at - 1;
    if (before >= 0 && bytes[before] === LINE_FEED) return true;
  }
  return false;
}
