/**
 * Keeps track of which characters of a rendered template came from users. A control token can only be read
 * where its text is the template's own; every control token begins and ends with certain characters, so it is
 * enough to follow these. In user text each of them gets an invisible mark (private-use code points that
 * nothing else in the conversation contains) beside it, the template carries the marks along, and taking them
 * out of the output tells whose character it is.
 */

import { TemplateError } from "./error.ts";

/**
 * A rendered text and, per UTF-16 code unit, whether users wrote it (only tracked for the characters above).
 */
export interface OwnedText {
  readonly text: string;
  readonly userOwned: Uint8Array;
}

/** Marks user text against the control tokens of a vocabulary. */
export class UserMarks {
  readonly #controls: readonly string[];
  readonly #firsts: ReadonlySet<string>;
  readonly #lasts: ReadonlySet<string>;
  readonly #controlUnitsMax: number;

  constructor(controlTexts: Iterable<string>) {
    this.#controls = [...controlTexts].filter((text) => text !== "");
    this.#firsts = new Set(this.#controls.map((text) => [...text][0]));
    this.#lasts = new Set(this.#controls.map((text) => [...text].at(-1)!));
    this.#controlUnitsMax = Math.max(0, ...this.#controls.map((text) => text.length));
  }

  /** True when the text has a character that `mark` would mark. */
  needsMarks(text: string): boolean {
    if (this.#isInsideControl(text)) return true;
    for (const character of text) if (this.#firsts.has(character) || this.#lasts.has(character)) return true;
    return false;
  }

  /**
   * Those of a template's string constants that it may look for in user text, and that can stay without marks
   * there: no control token contains one, is contained in one, or begins or ends with an end or a beginning
   * of one.
   */
  harmless(literals: readonly string[]): string[] {
    return literals.filter((literal) =>
      literal.length >= 2 && literal.length <= 256 && this.needsMarks(literal) &&
      !this.#controls.some((control) => overlaps(literal, control))
    );
  }

  /** The text with marks, except within the literals of `except`. */
  mark(text: string, marks: Marks, except: readonly string[]): string {
    const spared = sparedUnits(text, except);
    const middle = this.#isInsideControl(text) ? text.search(/\S/u) : -1;
    let marked = "";
    let at = 0;
    for (const character of text) {
      const isSpared = spared !== undefined && spared[at] !== 0;
      const isLast = !isSpared && this.#lasts.has(character);
      const isFirst = at === middle || (!isSpared && this.#firsts.has(character));
      marked += (isLast ? marks.before : "") + character + (isFirst ? marks.after : "");
      at += character.length;
    }
    return marked;
  }

  /** A template may write both ends of a control token around a text that is the middle of one. */
  #isInsideControl(text: string): boolean {
    const trimmed = text.trim();
    if (trimmed === "" || trimmed.length > this.#controlUnitsMax) return false;
    return this.#controls.some((control) => control.includes(trimmed));
  }
}

/** Two code points that occur nowhere in the conversation or the template. */
export interface Marks {
  /** Says that the character before it is a user's. */
  readonly after: string;
  /** Says that the character after it is a user's. */
  readonly before: string;
}

/**
 * Chooses marks that none of the texts contains. Throws TemplateError when all private-use code points are
 * taken.
 */
export function chooseMarks(texts: readonly string[]): Marks {
  const used = new Set<string>();
  for (const text of texts) {
    for (const [character] of text.matchAll(/[\ue000-\uf8ff]/g)) used.add(character);
  }
  const free: string[] = [];
  for (let code = 0xf8ff; code >= 0xe000 && free.length < 2; code--) {
    const character = String.fromCharCode(code);
    if (!used.has(character)) free.push(character);
  }
  if (free.length < 2) throw new TemplateError("the messages use all private-use characters of Unicode");
  return { after: free[0], before: free[1] };
}

/** Takes the marks out of a rendered text. */
export function unmark(rendered: string, marks: Marks): OwnedText {
  const userOwned = new Uint8Array(rendered.length);
  const parts: string[] = [];
  let length = 0;
  let from = 0;
  for (let at = 0; at < rendered.length; at++) {
    const unit = rendered[at];
    if (unit !== marks.after && unit !== marks.before) continue;
    parts.push(rendered.slice(from, at));
    length += at - from;
    from = at + 1;
    if (unit === marks.before) userOwned[length] = 1;
    else if (length > 0) userOwned[length - 1] = 1;
  }
  parts.push(rendered.slice(from));
  const text = parts.join("");
  return { text, userOwned: userOwned.subarray(0, text.length) };
}

/** Marks the code units that lie in occurrences of the literals; undefined when there are none. */
function sparedUnits(text: string, literals: readonly string[]): Uint8Array | undefined {
  let spared: Uint8Array | undefined;
  for (const literal of literals) {
    for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length)) {
      spared ??= new Uint8Array(text.length);
      spared.fill(1, at, at + literal.length);
    }
  }
  return spared;
}

/** True when one contains the other, or an end of one is a beginning of the other. */
function overlaps(a: string, b: string): boolean {
  if (a.includes(b) || b.includes(a)) return true;
  for (let n = 1; n < Math.min(a.length, b.length); n++) {
    if (a.endsWith(b.slice(0, n)) || b.endsWith(a.slice(0, n))) return true;
  }
  return false;
}
