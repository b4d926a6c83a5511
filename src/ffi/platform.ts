/** The platforms that the kernel library is built for. @module */

/** A system, an architecture, and on Linux a C library. */
export interface Platform {
  /** As in the names of packages: `linux-x64-gnu`. */
  readonly id: string;
  readonly os: "linux" | "darwin" | "windows";
  readonly arch: "x86_64" | "aarch64";
  /** The C library of Linux. */
  readonly libc?: "glibc" | "musl";
  /** File name of the kernel library. */
  readonly library: string;
}

/** All of them, those with most users first. */
export const PLATFORMS: readonly Platform[] = [
  { id: "linux-x64-gnu", os: "linux", arch: "x86_64", libc: "glibc", library: "libkumi.so" },
  { id: "linux-arm64-gnu", os: "linux", arch: "aarch64", libc: "glibc", library: "libkumi.so" },
  { id: "linux-x64-musl", os: "linux", arch: "x86_64", libc: "musl", library: "libkumi.so" },
  { id: "linux-arm64-musl", os: "linux", arch: "aarch64", libc: "musl", library: "libkumi.so" },
  { id: "darwin-arm64", os: "darwin", arch: "aarch64", library: "libkumi.dylib" },
  { id: "darwin-x64", os: "darwin", arch: "x86_64", library: "libkumi.dylib" },
  { id: "windows-x64", os: "windows", arch: "x86_64", library: "kumi.dll" },
];

/**
 * The platform of a process, this one by default; undefined where there is no library for it. On Linux the C
 * library is the one that Deno itself was built with: a system may have both, but a process only one.
 */
export function platformOf(
  build: { readonly os: string; readonly arch: string; readonly target: string } = Deno.build,
): Platform | undefined {
  const libc = build.os !== "linux" ? undefined : build.target.includes("musl") ? "musl" : "glibc";
  return PLATFORMS.find(({ os, arch, libc: its }) => os === build.os && arch === build.arch && its === libc);
}

/** File name of the kernel library on a system. */
export function libraryName(os: string = Deno.build.os): string {
  return PLATFORMS.find((platform) => platform.os === os)?.library ?? "libkumi.so";
}
