/** Texts of models, made harmless and readable. @module */

const NAMED: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  copy: "©",
  hellip: "…",
  mdash: "—",
  ndash: "–",
  times: "×",
};

/** Character references as the characters that they mean; unknown ones stay as they are. */
export function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]+));/gi, (all, decimal, hex, name) => {
    if (name !== undefined) return Object.hasOwn(NAMED, name) ? NAMED[name] : all;
    const code = decimal === undefined ? parseInt(hex, 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
  });
}

const SCHEMES = new Set(["http:", "https:", "mailto:"]);

/** A link that can be followed without running anything; null where it cannot. */
export function safeLink(href: string): string | null {
  const url = URL.parse(decodeEntities(href));
  // Links without a scheme would lead into this server.
  return url !== null && SCHEMES.has(url.protocol) ? url.href : null;
}
