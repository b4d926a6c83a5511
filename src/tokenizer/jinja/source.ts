/**
 * What the package's lexer and parser lack, written with what they know: `{% raw %}`, signs that keep white
 * space (`{%+`, `+%}`), tests with arguments (`x is divisibleby(3)`), and tuples of one item.
 * @module
 */

import { parse, tokenize } from "@huggingface/jinja";
import { ONLY_ITEM } from "./filters.ts";

type Token = ReturnType<typeof tokenize>[number];
type TokenType = Token["type"];

/** A filter of such a name stands for a test: `x is in y` becomes `x | is in(y)`, as one name. */
export const TEST = "is ";
export const NEGATED_TEST = "is not ";

/** Longest run of white space: the lexer's time grows with its square. */
const SPACES_MAX = 2000;

/** A template as the interpreter takes it, and the texts in it. Throws for one that is no Jinja. */
export function parseTemplate(source: string): { program: ReturnType<typeof parse>; literals: string[] } {
  if (new RegExp(`\\s{${SPACES_MAX + 1}}`).test(source)) {
    throw new SyntaxError(`white space in it is longer than ${SPACES_MAX} characters`);
  }
  const tokens = tokenize(withoutRaw(source), { lstrip_blocks: true, trim_blocks: true });
  const literals = new Set(
    tokens.filter((token) => token.type === "StringLiteral").map(({ value }) => value),
  );
  return { program: markIterables(parse(rewritten(tokens))), literals: [...literals] };
}

/** A node that gives what a loop goes through: `of`'s value as a list. */
export interface Iterable {
  readonly type: typeof ITERABLE;
  readonly of: Node;
  /** Whether the loop takes each item apart, as in `for key, value in …`. */
  readonly takesApart: boolean;
}
export const ITERABLE = "Iterable";

/** A node of a parsed template. */
export interface Node {
  readonly type: string;
}
type Parts = Record<string, unknown> & Node;

/** Puts such a node before what each loop goes through. */
function markIterables<T>(tree: T): T {
  if (tree instanceof Map) {
    for (const entry of tree) markIterables(entry);
  } else if (typeof tree === "object" && tree !== null) {
    for (const part of Object.values(tree)) markIterables(part);
    if ((tree as unknown as Node).type === "For") markLoop(tree as unknown as Parts);
  }
  return tree;
}

function markLoop(loop: Parts): void {
  const takesApart = (loop.loopvar as Node).type === "TupleLiteral";
  const iterable = loop.iterable as Parts;
  // `for x in list if condition` evaluates the list on its own.
  const [holder, key] = iterable.type === "SelectExpression" ? [iterable, "lhs"] : [loop, "iterable"];
  holder[key] = { type: ITERABLE, of: holder[key] as Node, takesApart } satisfies Iterable;
}

/** Where something is to be written otherwise. No match is longer than the white space in it. */
const MARKS = /\{#\+?|\{%(?<open>[-+]?)\s*raw\s*(?<inner>-?)%\}|\{(?<kept>[%{])\+|\+(?<end>%\})/g;
const END_OF_RAW = /\{%(?<inner>[-+]?)\s*endraw\s*(?<close>[-+]?)%\}/g;

/**
 * Writes the text of raw blocks, and white space that is to be kept, as expressions. Quoted texts are not looked at:
 * that one holds such a block is not to be expected.
 */
function withoutRaw(source: string): string {
  let written = "";
  let from = 0;
  for (MARKS.lastIndex = 0;;) {
    const match = MARKS.exec(source);
    if (match === null) return written + source.slice(from);
    const groups = match.groups!;
    const line = lineStart(source, match.index);
    if (match[0].startsWith("{#")) {
      const end = source.indexOf("#}", match.index + 2);
      if (end < 0) return written + source.slice(from);
      MARKS.lastIndex = end + 2;
      if (match[0].endsWith("+")) {
        written += `${source.slice(from, line)}${quoted(source.slice(line, match.index))}{#`;
        from = match.index + match[0].length;
      }
    } else if (groups.kept !== undefined) {
      written += `${source.slice(from, line)}${quoted(source.slice(line, match.index))}{${groups.kept}`;
      from = MARKS.lastIndex;
    } else if (groups.end !== undefined) {
      const isLineEnd = source[MARKS.lastIndex] === "\n";
      written += source.slice(from, match.index) + groups.end + (isLineEnd ? quoted("\n") : "");
      from = MARKS.lastIndex += isLineEnd ? 1 : 0;
    } else {
      END_OF_RAW.lastIndex = MARKS.lastIndex;
      const end = END_OF_RAW.exec(source);
      if (end === null) return written + source.slice(from);
      // White space of its line before the block goes, but for `{%+`.
      written += source.slice(from, line);
      if (groups.open === "+") written += quoted(source.slice(line, match.index));
      written += rawText(source.slice(MARKS.lastIndex, end.index), groups, end.groups!);
      from = MARKS.lastIndex = END_OF_RAW.lastIndex;
      // And so does the end of a line behind it, but for `+%}`.
      if (source[from] === "\n" && end.groups!.close !== "+") from = ++MARKS.lastIndex;
    }
  }
}

/** The text between `{% raw %}` and `{% endraw %}` as an expression. */
function rawText(raw: string, first: Record<string, string>, last: Record<string, string>): string {
  let text = first.inner === "-" ? raw.trimStart() : raw;
  if (last.inner === "-") text = text.trimEnd();
  else if (last.inner === "") text = text.slice(0, lineStart(text, text.length));
  return `{{${first.open === "-" ? "-" : ""} "${escaped(text)}" ${last.close === "-" ? "-" : ""}}}`;
}

/** Where the white space before `at` begins if nothing else stands before it on its line; `at` otherwise. */
function lineStart(source: string, at: number): number {
  let start = at;
  while (start > 0 && (source[start - 1] === " " || source[start - 1] === "\t")) start--;
  return start === 0 || source[start - 1] === "\n" ? start : at;
}

const quoted = (text: string) => text === "" ? "" : `{{ "${escaped(text)}" }}`;

/** A text between quotes. Braces are written by number: nothing in it then looks like a block. */
function escaped(text: string): string {
  return text.replaceAll(/["\\\n\r\t{}%]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** Words that are no values. */
const KEYWORDS = new Set(["and", "or", "not", "else", "if", "in", "is", "recursive"]);
const CLOSING: Readonly<Partial<Record<TokenType, TokenType>>> = {
  OpenParen: "CloseParen",
  OpenSquareBracket: "CloseSquareBracket",
  OpenCurlyBracket: "CloseCurlyBracket",
};
const CLOSERS: ReadonlySet<TokenType> = new Set(Object.values(CLOSING));

/** What the parser knows, of tokens that it does not. */
function rewritten(tokens: readonly Token[]): Token[] {
  const out: Token[] = [];
  const prototype = Object.getPrototypeOf(tokens[0] ?? {});
  const make = (value: string, type: TokenType): Token =>
    Object.assign(Object.create(prototype), { value, type });
  for (let at = 0; at < tokens.length; at++) {
    const test = testAt(tokens, at);
    const comma = tokens[at].type === "Comma" && tokens[at + 1]?.type === "CloseParen";
    if (test !== undefined) {
      const argument = rewritten(tokens.slice(test.start, test.end));
      const isCall = argument[0].type === "OpenParen";
      out.push(make("|", "Pipe"), make(test.name, "Identifier"));
      out.push(...isCall ? argument : [make("(", "OpenParen"), ...argument, make(")", "CloseParen")]);
      at = test.end - 1;
    } else if (comma && isTupleOfOne(tokens, at)) {
      out.push(tokens[++at], make("|", "Pipe"), make(ONLY_ITEM, "Identifier"));
    } else if (!comma) out.push(tokens[at]);
  }
  return out;
}

/** A test that compares with something: the parser knows only names behind `is`. */
function testAt(
  tokens: readonly Token[],
  at: number,
): { name: string; start: number; end: number } | undefined {
  if (!isName(tokens[at], "is") || tokens[at - 1]?.type === "Dot") return undefined;
  const isNegated = isName(tokens[at + 1], "not");
  const name = isNegated ? at + 2 : at + 1;
  if (tokens[name]?.type !== "Identifier") return undefined;
  const [start, end] = [name + 1, argumentEnd(tokens, name + 1)];
  return end === start
    ? undefined
    : { name: (isNegated ? NEGATED_TEST : TEST) + tokens[name].value, start, end };
}

/** Whether the comma before a closing bracket is the only one in it, and the bracket calls nothing. */
function isTupleOfOne(tokens: readonly Token[], comma: number): boolean {
  let depth = 0;
  for (let at = comma - 1; at >= 0; at--) {
    const { type } = tokens[at];
    if (CLOSERS.has(type)) depth++;
    else if (type in CLOSING && --depth < 0) {
      return type === "OpenParen" && !isCallee(tokens[at - 1]);
    } else if (type === "Comma" && depth === 0) return false;
  }
  return false;
}

/** Whether a bracket behind this token holds the arguments of a call. */
function isCallee(token: Token | undefined): boolean {
  if (token?.type === "Identifier") return !KEYWORDS.has(token.value);
  return token?.type === "CloseParen" || token?.type === "CloseSquareBracket";
}

const isName = (token: Token | undefined, name: string) =>
  token?.type === "Identifier" && token.value === name;

/** Where the argument of a test that begins at `start` ends; `start` if there is none. */
function argumentEnd(tokens: readonly Token[], start: number): number {
  const first = tokens[start];
  if (first === undefined) return start;
  const isValue = first.type === "StringLiteral" || first.type === "NumericLiteral" ||
    first.type === "Identifier" && !KEYWORDS.has(first.value);
  let at = isValue ? start + 1 : closingEnd(tokens, start);
  if (at === start || first.type === "OpenParen") return at;
  for (;;) {
    if (tokens[at]?.type === "Dot" && tokens[at + 1]?.type === "Identifier") at += 2;
    else if (tokens[at]?.type === "OpenSquareBracket" || tokens[at]?.type === "OpenParen") {
      const end = closingEnd(tokens, at);
      if (end === at) return at;
      at = end;
    } else return at;
  }
}

/** After the bracket that closes the one at `start`; `start` if there is none. */
function closingEnd(tokens: readonly Token[], start: number): number {
  const open = tokens[start].type;
  const close = CLOSING[open];
  if (close === undefined) return start;
  let depth = 0;
  for (let at = start; at < tokens.length; at++) {
    if (tokens[at].type === open) depth++;
    if (tokens[at].type === close && --depth === 0) return at + 1;
  }
  return start;
}
