/** Characters of an answer that are graded; what is beyond is no answer to a short question. */
const ANSWER_MAX = 100_000;

/** What the answer says, without the thoughts that some models write before it. */
export function spokenPart(answer: string): string {
  const end = answer.lastIndexOf("</think>");
  return (end < 0 ? answer : answer.slice(end + "</think>".length)).slice(0, ANSWER_MAX).trim();
}

/**
 * One spelling for what people take as the same: full and half width (NFKC), small letters, single spaces, no
 * quotes, stars or punctuation around it.
 */
export function normalise(text: string): string {
  return text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ")
    .replace(/^[\s"'“”‘’«»「」『』*_`.,!?;:、。・]+|[\s"'“”‘’«»「」『』*_`.,!?;:、。・]+$/g, "");
}

const WORD = /[\p{L}\p{N}]/u;
/** Scripts whose words stand without spaces: what is beside a word says nothing about its end. */
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]/u;

/** Whether `wanted` stands in `text` as words of its own: "art" is not in "start", 東京 is in 東京都. */
export function containsWords(text: string, wanted: string): boolean {
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    const before = text.slice(0, at).at(-1) ?? "";
    const behind = text[at + wanted.length] ?? "";
    if (!isJoined(before, wanted[0]) && !isJoined(wanted.at(-1)!, behind)) return true;
  }
  return false;
}

function isJoined(left: string, right: string): boolean {
  return WORD.test(left) && WORD.test(right) && !UNSPACED.test(left) && !UNSPACED.test(right);
}
