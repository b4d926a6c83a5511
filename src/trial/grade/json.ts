/** JSON in an answer. @module */

/** Openings that are tried: what begins later is hardly the answer. */
const OPENINGS_MAX = 50;

/** The JSON of an answer: all of it, a fenced block, or the first object or list in it. Undefined: none. */
export function jsonIn(answer: string): unknown {
  const whole = parsed(answer);
  if (whole !== undefined) return whole;
  const fenced = /```(?:json)?\s*\n?([\s\S]*?)```/i.exec(answer);
  const inFence = fenced === null ? undefined : parsed(fenced[1]);
  if (inFence !== undefined) return inFence;
  let from = 0;
  for (let tried = 0; tried < OPENINGS_MAX; tried++) {
    const at = answer.slice(from).search(/[{[]/);
    if (at < 0) return undefined;
    const value = parsed(balanced(answer, from + at));
    if (value !== undefined) return value;
    from += at + 1;
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** From an opening bracket to the one that closes it, strings looked over; to the end where none does. */
function balanced(text: string, start: number): string {
  let depth = 0;
  let isInString = false;
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (isInString) {
      if (char === "\\") i++;
      else if (char === '"') isInString = false;
    } else if (char === '"') isInString = true;
    else if (char === "{" || char === "[") depth++;
    else if ((char === "}" || char === "]") && --depth === 0) return text.slice(start, i + 1);
  }
  return text.slice(start);
}

/**
 * Whether two JSON values are the same: objects whatever the order of their keys, lists in order. With
 * `isSubset` objects of `actual` may have further keys. Goes no deeper than `expected` does.
 */
export function isSame(expected: unknown, actual: unknown, isSubset: boolean): boolean {
  if (expected === null || typeof expected !== "object") {
    return Object.is(expected, actual) || expected === actual;
  }
  if (actual === null || typeof actual !== "object" || Array.isArray(expected) !== Array.isArray(actual)) {
    return false;
  }
  const [wanted, given] = [Object.entries(expected), actual as Record<string, unknown>];
  if ((!isSubset || Array.isArray(expected)) && wanted.length !== Object.keys(given).length) return false;
  return wanted.every(([key, value]) => Object.hasOwn(given, key) && isSame(value, given[key], isSubset));
}
