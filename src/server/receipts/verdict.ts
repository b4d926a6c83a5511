/** What became of a receipt that was checked, and where texts and answers begin to differ. @module */

/** What came out. */
export interface Verdict {
  /**
   * "same": computing the answer again gave the same bits. "different": it did not, or something is not what the receipt is of.
   * "not comparable": this kumi, or this machine, computes with other bits.
   */
  readonly outcome: "same" | "different" | "not comparable";
  /** A sentence, without a capital and a full stop. */
  readonly reason: string;
  /** The first token of the answer, from 0, that differs. */
  readonly token?: number;
  /** The tokens are the same, and there was no text to compare with theirs. */
  readonly withoutText?: boolean;
}

export function different(reason: string, token?: number): Verdict {
  return { outcome: "different", reason, ...token === undefined ? {} : { token } };
}

export function notComparable(reason: string): Verdict {
  return { outcome: "not comparable", reason };
}

/** Characters of a text, and of what is no text, that are shown. */
const EXCERPT = 24, EXCERPT_OF_JSON = 80;

/** How a text differs from what the model says; undefined where it does not. */
export function differingText(given: string, computed: string): Verdict | undefined {
  if (given === computed) return undefined;
  return different(`the answer's text differs ${textDifference(given, computed)}`);
}

/** Where two texts begin to differ, and what each of them says there. */
function textDifference(given: string, computed: string): string {
  let at = 0;
  while (at < Math.min(given.length, computed.length) && given[at] === computed[at]) at++;
  const near = (text: string) => JSON.stringify(cut(text.slice(at), EXCERPT));
  return `from character ${at} on (the first is 0): it is ${near(given)} there, computed was ${
    near(computed)
  }`;
}

function cut(text: string, charactersMax: number): string {
  return text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text;
}

/** The text as an object of JSON; undefined where it is none. */
export function jsonObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Members that tell of a request or a server and not of what was answered. */
const VOLATILE: ReadonlySet<string> = new Set([
  ...["id", "call_id", "created", "created_at", "model", "system_fingerprint", "kumi", "usage", "timings"],
  ...[
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_duration",
    "load_duration",
    "total_duration",
    "tokens_cached",
  ],
]);

/** How an answer in a server's JSON differs from what it would be now; undefined where it says the same. */
export function differingJson(given: unknown, computed: unknown): Verdict | undefined {
  const found = difference(given, computed, "");
  return found === undefined ? undefined : different(`the answer differs in ${found}`);
}

function difference(a: unknown, b: unknown, path: string): string | undefined {
  const isOpen = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null;
  if (!isOpen(a) || !isOpen(b)) {
    if (a === b) return undefined;
    if (typeof a === "string" && typeof b === "string") return `"${path}" ${textDifference(a, b)}`;
    const shown = (value: unknown) => cut(JSON.stringify(value) ?? "nothing", EXCERPT_OF_JSON);
    return `"${path}": it is ${shown(a)}, computed was ${shown(b)}`;
  }
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (VOLATILE.has(name)) continue;
    const found = difference(a[name], b[name], path === "" ? name : `${path}.${name}`);
    if (found !== undefined) return found;
  }
}
