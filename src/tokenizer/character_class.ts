/** Unicode classes of code points, as the pre-tokenizers need them, from tables filled on first use. */

/** Bits of a class. A code point of none of them has the value CharacterClass.other. */
export const CharacterClass = { letter: 1, number: 2, space: 4, punctuation: 8, other: 128 } as const;

const PAGE_CODES = 256;
const table = new Uint8Array(0x110000);

/**
 * Class bits of a code point: `\p{L}`, `\p{N}`, `\p{P}` of the JavaScript engine's Unicode version, and
 * White_Space (so with U+0085 and without U+FEFF, unlike `\s` of JavaScript), as the tokenizers' own regex
 * engines have it.
 */
export function classOf(code: number): number {
  const known = table[code];
  return known !== 0 ? known : fillPage(code);
}

function fillPage(code: number): number {
  const first = code - (code % PAGE_CODES);
  for (let c = first; c < first + PAGE_CODES; c++) {
    const character = String.fromCodePoint(c);
    let bits = 0;
    if (/\p{L}/u.test(character)) bits = CharacterClass.letter;
    else if (/\p{N}/u.test(character)) bits = CharacterClass.number;
    else if (/\p{White_Space}/u.test(character)) bits = CharacterClass.space;
    else if (/\p{P}/u.test(character)) bits = CharacterClass.punctuation;
    table[c] = bits === 0 ? CharacterClass.other : bits;
  }
  return table[code];
}
