/**
 * Which of the compiler's features an aarch64 instruction needs, from its line in a disassembly.
 * @module
 */

const BY_MNEMONIC: readonly (readonly [RegExp, string])[] = [
  [/^[su]dot$/, "dotprod"],
  [/^(usdot|sudot|smmla|ummla|usmmla)$/, "i8mm"],
  [/^bf(dot|mmla|mlal[bt]|cvtn2?|cvt)$/, "bf16"],
  [/^fml[as]l2?$/, "fp16fml"],
  [/^sqrdml[as]h$/, "rdm"],
  [/^(cas|swp|ld(add|clr|set|eor|[su](max|min)))(a|al|l)?[bh]?$/, "lse"],
  [/^crc32/, "crc"],
  [/^(aes|sha1|sha256|pmull2?$)/, "crypto"],
  [/^fc(mla|add)$/, "complxnum"],
  [/^fjcvtzs$/, "jsconv"],
];

/** Conversions from and to f16, moves and loads need nothing; arithmetic on it does. */
const HALF_ARITHMETIC = /^f(add|sub|mul|mla|mls|madd|msub|nmul|div|max|min|abs|neg|sqrt|cm|rint|rec|rsqrt)/;

/** Features that an instruction needs, by the compiler's names. */
export function aarch64Features(mnemonic: string, operands: string): string[] {
  if (mnemonic.startsWith("<") || mnemonic === ".inst") return ["an unknown instruction"];
  const features = new Set<string>();
  const named = BY_MNEMONIC.find(([pattern]) => pattern.test(mnemonic))?.[1];
  if (named !== undefined) features.add(named);
  if (/\bz\d+\.|\bp\d+\/[mz]\b/.test(operands)) features.add("sve");
  if (/\bza\d*\b/.test(operands)) features.add("sme");
  if (HALF_ARITHMETIC.test(mnemonic) && (/\bv\d+\.[48]h\b/.test(operands) || /^h\d+\b/.test(operands))) {
    features.add("fullfp16");
  }
  return [...features];
}
