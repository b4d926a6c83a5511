/**
 * Which of the compiler's features an x86-64 instruction needs, from its line in a disassembly (Intel
 * syntax).
 * @module
 */

/**
 * Mnemonics, or beginnings of them, of features that no register's name gives away. The first that fits
 * counts.
 */
const BY_MNEMONIC: readonly (readonly [RegExp, string])[] = [
  [/^(ld|st)tilecfg$|^tile/, "amx_tile"],
  [/^tdpbf16ps$/, "amx_bf16"],
  [/^tdpb[su][su]d$/, "amx_int8"],
  [/^t(dp|mm|conj|cvtrow)/, "an amx feature beyond int8 and bf16"],
  [/^v(dpbf16ps|cvtne2?ps2bf16)$/, "avx512bf16"],
  [/^vbcstneb|^vbcstnes|^vcvtnee|^vcvtneo/, "avxneconvert"],
  [/^vpdpb[us]{2}ds?$|^vpdpw[us]{2}ds?$/, "vnni"],
  [/^vfn?m(add|sub|addsub|subadd)\d{3}[sp][sd]$/, "fma"],
  [/^vcvtph2ps$|^vcvtps2ph$/, "f16c"],
  [/^v\w+[sp]h$|^vcvt\w*(ph|sh)2|^vcvt\w*2(ph|sh)x?$/, "avx512fp16"],
  [/^vpopcnt[bw]$|^vpshufbitqmb$/, "avx512bitalg"],
  [/^vpopcnt[dq]$/, "avx512vpopcntdq"],
  [/^vperm(b|[it]2b)$|^vpmultishiftqb$/, "avx512vbmi"],
  [/^vpsh[lr]dv?[wdq]$|^vp(compress|expand)[bw]$/, "avx512vbmi2"],
  [/^vpmadd52/, "avx512ifma"],
  [/^v?gf2p8/, "gfni"],
  [/^vaes/, "vaes"],
  [/^aes/, "aes"],
  [/^v?pclmul/, "pclmul"],
  [/^sha(1|256)/, "sha"],
  [/^(andn|bextr|blsi|blsmsk|blsr)$/, "bmi"], // tzcnt, too, but old processors read it as bsf, and compilers rely on that
  [/^(bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx)$/, "bmi2"],
  [/^(adcx|adox)$/, "adx"],
  [/^lzcnt$/, "lzcnt"],
  [/^popcnt$/, "popcnt"],
  [/^movbe$/, "movbe"],
  [/^[ls]ahf$/, "sahf"],
  [/^cmpxchg16b$/, "cx16"],
  [/^x(save|rstor)/, "xsave"], // xgetbv is how detection asks, after CPUID
  [/^crc32/, "crc32"],
  [/^pcmpgtq$|^pcmp[ei]str[im]$/, "sse4_2"],
  [
    /^(blend|pblend|dpp[sd]|extractps|insertps|round|ptest|mpsadbw|movntdqa|packusdw|phminposuw|pmuldq|pmulld)/,
    "sse4_1",
  ],
  [/^(pcmpeqq|p(max|min)(s[bd]|u[wd])|pmov[sz]x\w+|p(extr|insr)[bdq]|pextrw_mem)$/, "sse4_1"],
  [/^(pshufb|pabs[bwd]|palignr|ph(add|sub)\w+|pmaddubsw|pmulhrsw|psign[bwd])$/, "ssse3"],
  [/^(addsubp[sd]|h(add|sub)p[sd]|lddqu|movddup|movs[hl]dup)$/, "sse3"],
];

/** Instructions that a register's name makes wider. */
const AVX512_REGISTER = /\b(zmm\d+|k[0-7]|[xy]mm(1[6-9]|2\d|3[01]))\b/;

/**
 * Features that an instruction needs, by the compiler's names. AVX stands for what has VEX encodings, AVX2
 * for all 256-bit vectors, avx512f and avx512vl for all of x86-64-v4's parts: no level has fewer of them.
 */
export function x86Features(mnemonic: string, operands: string, vex: boolean): string[] {
  if (mnemonic === "(bad)" || mnemonic.startsWith("<")) return ["an unknown instruction"];
  const features = new Set<string>();
  const wide = /\bzmm\d/.test(operands);
  const masked = AVX512_REGISTER.test(operands) ||
    /^k(and|or|xor|not|xnor|mov|shift|test|unpck|add)/.test(mnemonic);
  if (wide) features.add("avx512f");
  else if (masked) features.add("avx512vl");
  if (/\btmm\d/.test(operands)) features.add("amx_tile");
  if (/\bymm\d/.test(operands)) features.add("avx2");
  if (/^v(?!err$|erw$|m(call|launch|resume|xoff|func)$)/.test(mnemonic)) features.add("avx");
  const named = BY_MNEMONIC.find(([pattern]) => pattern.test(mnemonic))?.[1];
  if (named === "vnni") features.add(vex ? "avxvnni" : "avx512vnni");
  else if (named === "avx512bf16" && vex) features.add("avxneconvert");
  else if (named !== undefined && !(named === "f16c" && wide)) features.add(named);
  return [...features];
}
