/** How errors name fields and values. @module */

const SHOWN_MAX = 40;

/** The beginning of a name that a client chose. */
export function shortened(name: string): string {
  return name.slice(0, SHOWN_MAX);
}

export function quote(name: string): string {
  return `"${name}"`;
}

export function kindOf(value: unknown): string {
  return value === null
    ? "null"
    : Array.isArray(value)
    ? "a list"
    : typeof value === "object"
    ? "an object"
    : `a ${typeof value}`;
}

/** Numbers and short strings as they are, anything else by its kind. */
export function show(value: unknown): string {
  if (typeof value === "object" && value !== null) return kindOf(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

/** What a value must be and what it is, for an error: "must be a number from 0 to 2, current value is 3". */
export function wanted(what: string): (issue: { readonly input?: unknown }) => string {
  return ({ input }) => `must be ${what}, current value is ${show(input)}`;
}
