import { assertEquals } from "@std/assert";
import { libraryName, platformOf, PLATFORMS } from "./platform.ts";

Deno.test("platformOf() tells systems, architectures and C libraries apart", () => {
  const id = (os: string, arch: string, target: string) => platformOf({ os, arch, target })?.id;
  assertEquals(id("linux", "x86_64", "x86_64-unknown-linux-gnu"), "linux-x64-gnu");
  assertEquals(id("linux", "aarch64", "aarch64-unknown-linux-gnu"), "linux-arm64-gnu");
  assertEquals(id("linux", "x86_64", "x86_64-alpine-linux-musl"), "linux-x64-musl");
  assertEquals(id("linux", "aarch64", "aarch64-unknown-linux-musl"), "linux-arm64-musl");
  assertEquals(id("darwin", "aarch64", "aarch64-apple-darwin"), "darwin-arm64");
  assertEquals(id("darwin", "x86_64", "x86_64-apple-darwin"), "darwin-x64");
  assertEquals(id("windows", "x86_64", "x86_64-pc-windows-msvc"), "windows-x64");
  assertEquals(id("windows", "aarch64", "aarch64-pc-windows-msvc"), undefined);
  assertEquals(id("freebsd", "x86_64", "x86_64-unknown-freebsd"), undefined);
});

Deno.test("PLATFORMS has each platform once, with one name of the library a system", () => {
  assertEquals(new Set(PLATFORMS.map(({ id }) => id)).size, PLATFORMS.length);
  for (const { os, library } of PLATFORMS) assertEquals(libraryName(os), library);
});
