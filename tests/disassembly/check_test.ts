import { assertEquals } from "@std/assert";
import { aarch64Features } from "./aarch64.ts";
import { type Arch, readDisassembly } from "./check.ts";
import { x86Features } from "./x86.ts";

/** Instruction, features that it needs. */
const X86: readonly (readonly [string, string])[] = [
  ["ret", ""],
  ["mulps xmm0,xmm15", ""],
  ["mov rax,QWORD PTR [rip+0x10]", ""],
  ["pshufb xmm0,xmm1", "ssse3"],
  ["pmulld xmm0,xmm1", "sse4_1"],
  ["pinsrw xmm0,eax,0x1", ""],
  ["popcnt rax,rbx", "popcnt"],
  ["andn rax,rbx,rcx", "bmi"],
  ["tzcnt rax,rbx", ""],
  ["shlx rax,rbx,rcx", "bmi2"],
  ["vmulps xmm0,xmm1,xmm2", "avx"],
  ["vpmaddubsw ymm0,ymm1,YMMWORD PTR [rax]", "avx avx2"],
  ["vfmadd231ss xmm0,xmm1,xmm2", "avx fma"],
  ["vfnmadd132pd ymm0,ymm1,ymm2", "avx avx2 fma"],
  ["vcvtph2ps ymm0,xmm1", "avx avx2 f16c"],
  ["vcvtph2ps zmm0,ymm1", "avx avx2 avx512f"],
  ["vaddps zmm2{k1},zmm0,zmm1", "avx avx512f"],
  ["vpaddd ymm2{k1}{z},ymm0,ymm1", "avx avx2 avx512vl"],
  ["vmovups xmm17,xmm2", "avx avx512vl"],
  ["kmovw k1,edi", "avx512vl"],
  ["vpdpbusd zmm0,zmm1,zmm2", "avx avx512f avx512vnni"],
  ["vpdpbusd ymm0,ymm1,ymm2", "avx avx2 avx512vnni"],
  ["{vex} vpdpbusd ymm0,ymm1,ymm2", "avx avx2 avxvnni"],
  ["vdpbf16ps zmm0,zmm1,DWORD BCST [rax]", "avx avx512bf16 avx512f"],
  ["vpermb zmm0,zmm1,zmm2", "avx avx512f avx512vbmi"],
  ["vpopcntb ymm0,ymm1", "avx avx2 avx512bitalg"],
  ["vaddph zmm0,zmm1,zmm2", "avx avx512f avx512fp16"],
  ["tdpbusd tmm0,tmm1,tmm2", "amx_int8 amx_tile"],
  ["tdpbf16ps tmm0,tmm1,tmm2", "amx_bf16 amx_tile"],
  ["tileloadd tmm0,[rax+rbx*1]", "amx_tile"],
  ["ldtilecfg [rax]", "amx_tile"],
  ["tdpfp16ps tmm0,tmm1,tmm2", "amx_tile an amx feature beyond int8 and bf16"],
  ["(bad)", "an unknown instruction"],
];

const AARCH64: readonly (readonly [string, string])[] = [
  ["fmla v0.4s, v1.4s, v2.s[0]", ""],
  ["fcvtl v0.4s, v1.4h", ""],
  ["sdot v0.4s, v1.16b, v2.16b", "dotprod"],
  ["udot v0.4s, v1.16b, v2.4b[0]", "dotprod"],
  ["smmla v0.4s, v1.16b, v2.16b", "i8mm"],
  ["usdot v0.4s, v1.16b, v2.16b", "i8mm"],
  ["bfmmla v0.4s, v1.8h, v2.8h", "bf16"],
  ["fmla v0.8h, v1.8h, v2.8h", "fullfp16"],
  ["fadd h0, h1, h2", "fullfp16"],
  ["add z0.s, z1.s, z2.s", "sve"],
  ["ldaddal w0, w1, [x2]", "lse"],
  ["<unknown>", "an unknown instruction"],
];

Deno.test("x86Features() and aarch64Features() know what an instruction needs", () => {
  for (const [text, features] of X86) {
    const [, vex, mnemonic, operands] = /^(\{vex\} )?(\S+) ?(.*)$/.exec(text)!;
    assertEquals(x86Features(mnemonic, operands, vex !== undefined).sort().join(" "), features, text);
  }
  for (const [text, features] of AARCH64) {
    const [, mnemonic, operands] = /^(\S+) ?(.*)$/.exec(text)!;
    assertEquals(aarch64Features(mnemonic, operands).sort().join(" "), features, text);
  }
});

/** Features that lines of a disassembly lack. */
function lacking(arch: Arch, allowed: string, ...lines: string[]): string[][] {
  const text = `x.o:     file format elf64\n\n0000000000000000 <f>:\n${lines.join("\n")}\n`;
  const { violations, instructions } = readDisassembly(text, arch, new Set(allowed.split(" ")));
  assertEquals(instructions, lines.length);
  return violations.map((violation) => [...violation.lacking]);
}

Deno.test("readDisassembly() finds instructions beyond what is allowed, as GNU's and LLVM's objdump write them", () => {
  assertEquals(lacking("x86_64", "avx avx2 fma", "   0:\tvfmadd231ps ymm0,ymm1,ymm2", "   5:\tret"), []);
  assertEquals(lacking("x86_64", "avx avx2", "   0:\tvfmadd231ps ymm0,ymm1,ymm2"), [["fma"]]);
  assertEquals(lacking("x86_64", "avx avx2", "   0:\t{vex} vpdpbusd ymm0,ymm1,ymm2"), [["avxvnni"]]);
  assertEquals(lacking("x86_64", "avx avx2", "       0:      \t{vex}\tvpdpbusd\tymm0, ymm1, ymm2"), [[
    "avxvnni",
  ]]);
  assertEquals(lacking("x86_64", "avx avx2 avxvnni", "   0:\tvpdpbusd ymm0,ymm1,ymm2"), [["avx512vnni"]]);
  assertEquals(lacking("x86_64", "avx", "       2a:      \tvaddps\tzmm2 {k1}, zmm0, zmm1"), [["avx512f"]]);
  assertEquals(lacking("x86_64", "sse2", "   0:\tlock cmpxchg16b [rdi]", "   6:\tlock xadd [rdi],eax"), [[
    "cx16",
  ]]);
  assertEquals(lacking("x86_64", "sse2", "   0:\t(bad)"), [["an unknown instruction"]]);
  assertEquals(lacking("x86_64", "sse2", "   0:\tcall 10 <vfmadd231ps.zmm0>"), []);
  assertEquals(lacking("aarch64", "neon", "       0:      \tsdot\tv0.4s, v1.16b, v2.16b"), [["dotprod"]]);
  assertEquals(lacking("aarch64", "neon dotprod", "   0:\tsmmla\tv0.4s, v1.16b, v2.16b"), [["i8mm"]]);
});
