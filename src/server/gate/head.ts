/**
 * Where a request's head begins and ends, which serves limits, and offers in it that nobody takes. What the
 * bytes mean is for the server behind to say: nothing here changes how many there are.
 * @module
 */

const LINE_FEED = 0x0a,
  CARRIAGE_RETURN = 0x0d,
  UPGRADE_INITIALS = [0x55, 0x75],
  UNKNOWN_INITIAL = 0x78;
const UPGRADE = /^upgrade:(?![ \t]*websocket[ \t]*\r?$)/i;
const HTTP2_PREFACE = "PRI * HTTP/2.0";
const decoder = new TextDecoder("latin1");

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

const REQUEST_LINE = /^[A-Z]+ \S+ HTTP\/1\.[01]\r?$/;

/**
 * Whether bytes begin with the first line of a request. JSON does not hold such a line: its strings have no
 * line ends.
 */
export function beginsHead(bytes: Uint8Array): boolean {
  const end = bytes.indexOf(LINE_FEED);
  return end > 0 && isCapital(bytes[0]) && REQUEST_LINE.test(decoder.decode(bytes.subarray(0, end)));
}

/** Whether bytes are the beginning of a connection that speaks HTTP/2 from the start. */
export function beginsHttp2(bytes: Uint8Array): boolean {
  return decoder.decode(bytes.subarray(0, HTTP2_PREFACE.length)) === HTTP2_PREFACE;
}

/**
 * Makes a head's offer of another protocol a header that nobody knows. RFC 9110 (7.8) lets a server ignore
 * the offer; Deno.serve refuses it where the request has a body, and Java's client makes it with each
 * request. An offer of web sockets stays.
 */
export function ignoreUpgrade(head: Uint8Array): void {
  for (let start = head.indexOf(LINE_FEED) + 1, end = 0; start > 0; start = end + 1) {
    end = head.indexOf(LINE_FEED, start);
    if (end <= start + 1) return;
    if (!UPGRADE_INITIALS.includes(head[start])) continue;
    if (UPGRADE.test(decoder.decode(head.subarray(start, end)))) head[start] = UNKNOWN_INITIAL;
  }
}

function isCapital(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}
