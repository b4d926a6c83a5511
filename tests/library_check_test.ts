import { assert, assertEquals, assertThrows } from "@std/assert";
import { readSharedLibrary } from "../src/setup/binary/shared_library.ts";
import type { SharedLibrary } from "../src/setup/binary/facts.ts";
import { levelNames, levelsInside, LIBRARY_BYTES_MAX, libraryProblems } from "../src/setup/library_check.ts";
import { BUILD, libraryPath } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { ensureZig } from "../src/setup/zig.ts";
import { platformOf, PLATFORMS } from "../src/ffi/platform.ts";

const SOURCE = `
export fn kumi_abi_hash() u32 { return 1; }
export fn another() u32 { return 2; }
fn hidden() callconv(.c) u32 { return 3; }
comptime { @export(&hidden, .{ .name = "hidden", .visibility = .hidden }); }
`;

/** A small library for a target, made by the linker that makes ours. */
async function smallLibrary(target: string, ...flags: string[]): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "kumi-library-" });
  try {
    await Deno.writeTextFile(`${folder}/small.zig`, SOURCE);
    const command = [await ensureZig(), "build-lib", "-dynamic", "-Osmall", "-target", target, ...flags];
    const result = await capture([...command, "-femit-bin=small", "--cache-dir", folder, "small.zig"], {
      cwd: folder,
      env: { ZIG_GLOBAL_CACHE_DIR: `${BUILD}/zig-global` },
    });
    assertEquals(result?.code, 0, result?.stderr);
    return await Deno.readFile(`${folder}/small`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const platform = (id: string) => PLATFORMS.find((each) => each.id === id)!;

Deno.test("readSharedLibrary() reads ELF", async () => {
  const library = readSharedLibrary(await smallLibrary("x86_64-linux-musl", "-fstrip", "-z", "nodelete"));
  assertEquals(library, {
    format: "ELF",
    arch: "x86_64",
    exports: ["another", "kumi_abi_hash"],
    needs: [],
    versions: [],
    hasDebugInfo: false,
    staysLoaded: true,
    isSigned: false,
  });
  const plain = await smallLibrary("aarch64-linux-gnu.2.28", "-fno-strip", "-lc");
  const { arch, hasDebugInfo, staysLoaded } = readSharedLibrary(plain);
  assertEquals([arch, hasDebugInfo, staysLoaded], ["aarch64", true, false]);
  assertThrows(() => readSharedLibrary(plain.subarray(0, plain.length / 2)), RangeError);
});

Deno.test("readSharedLibrary() reads Mach-O", async () => {
  const bytes = await smallLibrary("aarch64-macos.13.0", "-fstrip");
  const { format, arch, exports, needs, isSigned, minimumSystem } = readSharedLibrary(bytes);
  assertEquals([format, arch, isSigned, minimumSystem], ["Mach-O", "aarch64", true, "13.0"]);
  assertEquals(exports.filter((name) => !name.startsWith("_")), ["another", "kumi_abi_hash"]);
  assertEquals(needs, ["/usr/lib/libSystem.B.dylib"]);
  assertThrows(() => readSharedLibrary(bytes.subarray(0, 200)), RangeError);
});

Deno.test("readSharedLibrary() reads PE", async () => {
  const bytes = await smallLibrary("x86_64-windows", "-fstrip");
  const { format, arch, exports, needs } = readSharedLibrary(bytes);
  // A library without C's start-up code exports that of Zig as well.
  const own = exports.filter((name) => !/^_|^DllMain/.test(name));
  assertEquals([format, arch, own], ["PE", "x86_64", ["another", "kumi_abi_hash"]]);
  assert(needs.every((name) => /\.dll$/i.test(name)), needs.join());
  assertThrows(() => readSharedLibrary(bytes.subarray(0, 600)), RangeError);
});

Deno.test("readSharedLibrary() refuses other files", () => {
  assertThrows(
    () => readSharedLibrary(new TextEncoder().encode("#!/bin/sh\n")),
    TypeError,
    "not a shared library",
  );
  assertThrows(() => readSharedLibrary(new Uint8Array(2)), RangeError);
  const program = new Uint8Array(Deno.readFileSync(Deno.execPath()).subarray(0, 4096));
  assertThrows(() => readSharedLibrary(program), Error);
});

Deno.test("libraryProblems() finds nothing wrong with this machine's library", async () => {
  const own = platformOf();
  if (own === undefined || Deno.env.get("KUMI_LIBRARY")) return;
  const bytes = await Deno.readFile(libraryPath());
  const library = readSharedLibrary(bytes);
  assertEquals(libraryProblems(own, library, bytes.length), []);
  if (own.libc === "glibc") {
    assert(library.needs.includes("libc.so.6"), library.needs.join());
    assert(library.versions.includes("GLIBC_2.17"), library.versions.join());
  }
  const levels = await levelNames(own.arch);
  assert(levels.length >= 2);
  assertEquals(levelsInside(bytes, levels), levels);
  assertEquals(levelsInside(bytes, ["x86_64_v9"]), []);
});

Deno.test("libraryProblems() names what is wrong", async () => {
  const found = async (id: string, change: Partial<SharedLibrary>, size = 1000) => {
    const bytes = await Deno.readFile(libraryPath());
    const exports = readSharedLibrary(bytes).exports;
    const good: SharedLibrary = {
      format: "ELF",
      arch: "x86_64",
      exports,
      needs: id.includes("musl") ? ["libc.so"] : ["libc.so.6"],
      versions: [],
      hasDebugInfo: false,
      staysLoaded: true,
      isSigned: false,
    };
    assertEquals(libraryProblems(platform(id), good, 1000), []);
    return libraryProblems(platform(id), { ...good, ...change }, size).join("; ");
  };
  const gnu = "linux-x64-gnu";
  assert((await found(gnu, { arch: "aarch64" })).includes("it is for aarch64"));
  assert((await found(gnu, {}, LIBRARY_BYTES_MAX + 1)).includes("bytes, more than"));
  assert((await found(gnu, { exports: ["kumi_read"] })).startsWith("it does not export kumi_"));
  const { exports } = readSharedLibrary(await Deno.readFile(libraryPath()));
  assertEquals(await found(gnu, { exports: [...exports, "memcpy"] }), "it exports memcpy beyond the ABI");
  assertEquals(await found(gnu, { needs: ["libc.so.6", "libgomp.so.1"] }), "it needs libgomp.so.1");
  assertEquals(await found(gnu, { versions: ["GLIBC_2.2.5", "GLIBC_2.17"] }), "");
  assertEquals(await found(gnu, { versions: ["GLIBC_2.18"] }), "it needs GLIBC_2.18, newer than glibc 2.17");
  assertEquals(await found(gnu, { hasDebugInfo: true }), "it is not stripped");
  assertEquals(await found(gnu, { staysLoaded: false }), "it was linked without -z nodelete");
  assertEquals(await found("linux-x64-musl", { needs: ["libc.so.6"] }), "it needs libc.so.6");
  assert((await found("linux-x64-musl", { versions: ["GLIBC_2.17"] })).includes("musl does not have"));
});
