/** How much of a text's end is the beginning of another one, but not all of it. */
export function overlap(text: string, whole: string): number {
  for (let n = Math.min(text.length, whole.length - 1); n > 0; n--) {
    if (text.endsWith(whole.slice(0, n))) return n;
  }
  return 0;
}
