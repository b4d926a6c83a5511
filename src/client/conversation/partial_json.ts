/** What is known of a value of JSON while it is being written. @module */

/** Where a text stands: inside which brackets, and from where on it cannot be read yet. */
interface Place {
  /** Ends of the brackets that are open, the innermost last. */
  readonly open: string[];
  isString: boolean;
  /** What of the text, with `closing` behind it, is whole. */
  end: number;
  closing: string;
}

/**
 * The value that the beginning of a text of JSON stands for: strings as far as they have come, members and items once they have begun;
 * numbers and words only when they are whole. Undefined where nothing of it is known. The text must be the beginning of one that is right.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(partialJson('{"name": "An'), { name: "An" });
 * assertEquals(partialJson('{"name": "Anna", "age": 3'), { name: "Anna" });
 * ```
 */
export function partialJson(text: string): unknown {
  const place: Place = { open: [], isString: false, end: 0, closing: "" };
  for (let at = 0; at < text.length; at++) {
    at = place.isString ? inString(place, text, at) : outside(place, text, at);
  }
  const { end, closing } = place;
  const whole = text.slice(0, end) + closing;
  if (whole.trim() === "") return undefined;
  try {
    return JSON.parse(whole);
  } catch {
    return undefined; // A word or number that is alone and not whole.
  }
}

/** Takes a character of a string; gives the last one that was taken. */
function inString(place: Place, text: string, at: number): number {
  if (text[at] === "\\") {
    const next = at + (text[at + 1] === "u" ? 5 : 1);
    if (next < text.length && place.closing.startsWith('"')) place.end = next + 1;
    return next;
  }
  if (text[at] === '"') {
    place.isString = false;
    // A name is whole once its value begins.
    if (place.closing.startsWith('"')) know(place, at + 1);
  } else if (place.closing.startsWith('"')) place.end = at + 1;
  return at;
}

function outside(place: Place, text: string, at: number): number {
  const sign = text[at];
  if (sign === '"') {
    place.isString = true;
    if (isValue(place, text, at)) know(place, at + 1, '"');
  } else if (sign === "{" || sign === "[") {
    place.open.push(sign === "{" ? "}" : "]");
    know(place, at + 1);
  } else if (sign === "}" || sign === "]") {
    place.open.pop();
    know(place, at + 1);
  } else if (sign === ",") know(place, at);
  return at;
}

/** Whether a string that begins here is no name. */
function isValue({ open }: Place, text: string, at: number): boolean {
  return open.at(-1) !== "}" || text.slice(0, at).trimEnd().endsWith(":");
}

function know(place: Place, end: number, closing = ""): void {
  place.end = end;
  place.closing = closing + place.open.toReversed().join("");
}
