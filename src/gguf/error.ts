/**
 * A GGUF file that cannot be used, or a value in it that is not what the caller asked for.
 *
 * The message names the file, what is wrong, and the current value.
 */
export class GgufError extends Error {
  override readonly name = "GgufError";
}

const SHOWN_CHARACTERS_MAX = 80;

/** A name or a value from a file, made safe for one line of a terminal: quoted, escaped, and cut. */
export function quote(text: string): string {
  const cut = text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text;
  // JSON escapes C0 controls; C1 controls and text-direction marks could still rewrite a terminal's line.
  return JSON.stringify(cut).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** `a · b` for non-negative safe integers; throws {@linkcode GgufError} saying `what` when the product is not a safe integer. */
export function checkedMultiply(a: number, b: number, what: string): number {
  const product = a * b;
  // A true product above 2⁵³ never rounds to below 2⁵³, so comparing the rounded one is exact.
  if (product > Number.MAX_SAFE_INTEGER) throw new GgufError(`${what} overflows: ${a} × ${b}`);
  return product;
}

/** `value` rounded up to a multiple of `alignment` (a power of two). */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
