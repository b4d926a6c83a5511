/** Where things lie in a checkout. @module */

import { libraryName, type Platform } from "../ffi/platform.ts";

/** File system path of a `file:` URL. */
export function pathOf(url: string | URL): string {
  const path = decodeURIComponent(new URL(url).pathname);
  return Deno.build.os === "windows" ? path.replace(/^\/(?=[A-Za-z]:)/, "") : path;
}

/** The checkout's folder, without a slash at the end. */
export const ROOT = pathOf(new URL("../../", import.meta.url)).replace(/\/$/, "");

/** What the tasks install: Zig. Git ignores it. */
export const TOOLS = `${ROOT}/.tools`;

/** What the tasks build and remember: the kernel library, Zig's caches, decisions. Git ignores it. */
export const BUILD = `${ROOT}/.build`;

/** Where `zig build` leaves the kernel library under its prefix. */
export function libraryPath(prefix: string = BUILD, os: string = Deno.build.os): string {
  return `${prefix}/lib/${libraryName(os)}`;
}

/** Where the library for another platform lies in the build folder. */
export function distFolder(platform: Platform, build: string = BUILD): string {
  return `${build}/dist/${platform.id}`;
}
