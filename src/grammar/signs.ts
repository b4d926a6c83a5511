/** Signs that vocabularies may have as control tokens. @module */

const SIGN =
  /(<[|｜][^>]*[|｜]>|\[[A-Z_]+\]|\[\/[A-Z_]+\]|<\/?[a-z]+[_:][a-z_:]+>|<\/?(?:think|thought|response)>)/;

/** A text cut into its signs and what is between them. */
export function partsOf(value: string): string[] {
  return value.split(SIGN).filter((part) => part !== "");
}

/** All signs in texts. */
export function signsIn(texts: readonly string[]): string[] {
  return [...new Set(texts.flatMap(partsOf))].filter((part) => SIGN.test(part));
}
