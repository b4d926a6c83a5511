/** JSON in the one form that is signed. @module */

/**
 * The value as canonical JSON (RFC 8785): members in the order of their names' UTF-16 code units, no white space, numbers and texts
 * as ECMAScript writes them. Undefined members are left out. Throws a TypeError for what JSON cannot say.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new TypeError("Canonical JSON has no lone surrogates");
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`Canonical JSON has no ${value}`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object") throw new TypeError(`Canonical JSON has no ${typeof value}`);
  const members = Object.entries(value).filter(([, each]) => each !== undefined);
  members.sort(([a], [b]) => a < b ? -1 : 1);
  return `{${members.map(([name, each]) => `${canonicalJson(name)}:${canonicalJson(each)}`).join(",")}}`;
}
