/**
 * The last number that a text has, since answers end with their result: 1,234.5 and １，２３４．５ are one
 * number; "−3", "1e6" and "12%" are read, too. Null: it has none.
 */
export function lastNumber(text: string): number | null {
  const plain = text.normalize("NFKC").replace(/[\u2212\u2010-\u2013]/g, "-");
  // A sign counts where no number or word stands before it: "10-3" has a 3.
  const found = plain.matchAll(
    /(?<![\d\p{L}).])-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d{1,3})?|(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?/giu,
  );
  const last = [...found].at(-1);
  return last === undefined ? null : Number(last[0].replaceAll(",", ""));
}
