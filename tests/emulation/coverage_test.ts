import { assertEquals, assertThrows } from "@std/assert";
import { memoryImage } from "./bochs.ts";
import { coverageTable, readRuns } from "./coverage.ts";
import { MODELS } from "./models.ts";
import { neededLibraries, weaken } from "./weaken_elf.ts";

Deno.test("coverageTable() has a row for each op and format, and says what was skipped", () => {
  const native = readRuns(
    "1/2 a test...OK\n[ran] baseline matmul q4_k 7\n[ran] baseline rope f32 2\n",
    "native",
  );
  const bochs = readRuns("[ran] amx matmul q4_k 5\n", "bochs");
  const trap = readRuns("[ran] amx matmul q4_k 6\n", "trap");
  const lines = coverageTable([...native, ...bochs, ...trap], [{ level: "neon", reason: "no qemu" }])
    .split("\n").map((line) => line.replace(/ +/g, " "));
  assertEquals(lines.slice(1), [
    "op, format baseline amx neon",
    "matmul q4_k 7n 5b 6t -",
    "rope f32 2n - -",
    "skipped: neon: no qemu",
  ]);
  assertEquals(coverageTable([], []), "");
});

Deno.test("every model of a level is one that detection is tested on", () => {
  for (const { levels } of MODELS) assertEquals(levels.at(-1), "baseline");
  for (const level of ["amx", "x86_64_v4_bf16", "x86_64_v4_vnni", "x86_64_v4", "avx_vnni", "x86_64_v3"]) {
    assertEquals(MODELS.find(({ levels }) => levels.includes(level))?.levels[0], level);
  }
});

/** An ELF64 header with one loadable segment of four bytes at `address`. */
function tinyElf(address: bigint): Uint8Array {
  const file = new Uint8Array(124);
  const view = new DataView(file.buffer);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setBigUint64(72, 120n, true);
  view.setBigUint64(80, address, true);
  view.setBigUint64(96, 4n, true);
  file.set([1, 2, 3, 4], 120);
  return file;
}

Deno.test("memoryImage() holds the loader, the arguments and the program", () => {
  const image = memoryImage(tinyElf(0x10000010n), Uint8Array.of(9, 8, 7), ["prog", "x"]);
  assertEquals([...image.subarray(0x10, 0x14)], [1, 2, 3, 4]);
  assertEquals([...image.subarray(-3)], [9, 8, 7]);
  assertEquals([...image.subarray(0x3ff000, 0x3ff008)], [2, 0, 0, 0, 0, 0, 0, 0]);
  assertEquals(new TextDecoder().decode(image.subarray(0x3ff008, 0x3ff00f)), "prog\0x\0");
});

Deno.test({
  name: "weaken() leaves a program with the libraries that it is to keep",
  ignore: Deno.build.os !== "linux",
  fn: () => {
    const file = Deno.readFileSync(Deno.execPath());
    const needed = neededLibraries(file);
    const library = needed.find((name) => name.startsWith("libc."))!;
    weaken(file, new Set([library]), new Set());
    assertEquals(neededLibraries(file), [library]);
    assertThrows(() => weaken(file, new Set(["libnone.so"]), new Set()), TypeError, "without any library");
  },
});
