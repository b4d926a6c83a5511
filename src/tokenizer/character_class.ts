/** Unicode classes of code points, as the pre-tokenizers need them, from tables filled on first use. */

/**
 * Bits of a class. A letter has one of `upper` (Lu, Lt), `lower` (Ll) and `caseless` (Lm, Lo), too. A code
 * point of none of the classes has the value CharacterClass.other.
 */
export const CharacterClass = {
  letter: 1,
  number: 2,
  space: 4,
  punctuation: 8,
  mark: 16,
  symbol: 32,
  upper: 64,
  lower: 128,
  caseless: 256,
  other: 512,
} as const;

const PAGE_CODES = 256;
const table = new Uint16Array(0x110000);

/**
 * Class bits of a code point: `\p{L}`, `\p{N}`, `\p{P}`, `\p{M}`, `\p{S}` of the JavaScript engine's Unicode
 * version, and White_Space (so with U+0085 and without U+FEFF, unlike `\s` of JavaScript), as the tokenizers'
 * own regex engines have it.
 */
export function classOf(code: number): number {
  const known = table[code];
  return known !== 0 ? known : fillPage(code);
}

function fillPage(code: number): number {
  const first = code - (code % PAGE_CODES);
  for (let c = first; c < first + PAGE_CODES; c++) table[c] = classify(String.fromCodePoint(c));
  return table[code];
}

function classify(character: string): number {
  const { letter, upper, lower, caseless } = CharacterClass;
  if (/\p{L}/u.test(character)) {
    if (/[\p{Lu}\p{Lt}]/u.test(character)) return letter | upper;
    return letter | (/\p{Ll}/u.test(character) ? lower : caseless);
  }
  if (/\p{N}/u.test(character)) return CharacterClass.number;
  if (/\p{White_Space}/u.test(character)) return CharacterClass.space;
  if (/\p{P}/u.test(character)) return CharacterClass.punctuation;
  if (/\p{M}/u.test(character)) return CharacterClass.mark;
  return /\p{S}/u.test(character) ? CharacterClass.symbol : CharacterClass.other;
}

/**
 * Whether a code point is in a class as regular expressions write it, such as `[a-z]`; from tables filled on
 * first use.
 */
export function codeSet(expression: string): (code: number) => boolean {
  const pattern = new RegExp(expression, "u");
  const pages = new Map<number, Uint8Array>();
  return (code) => {
    const page = code - (code % PAGE_CODES);
    let members = pages.get(page);
    if (members === undefined) {
      members = Uint8Array.from(
        { length: PAGE_CODES },
        (_, i) => pattern.test(String.fromCodePoint(page + i)) ? 1 : 0,
      );
      pages.set(page, members);
    }
    return members[code - page] === 1;
  };
}
