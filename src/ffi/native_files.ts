/**
 * Where the files lie that are no code: the kernel library and the demo model. This is the answer of a
 * checkout; packages carry `native_files.npm.ts`, or a module that asks the npm package, in its place.
 * @module
 */

import { libraryName } from "./platform.ts";

/** What a user does about a library that is missing or unusable. */
export const REPAIR = "run `deno task build`";

/**
 * Path of the library that `deno task build` leaves in this checkout. Throws an Error where modules are no
 * files.
 */
export function libraryFile(): string {
  return pathOf(new URL(`../../.build/lib/${libraryName()}`, import.meta.url));
}

/** Path of the bundled demo model. Throws an Error where modules are no files. */
export function demoModelFile(): string {
  return pathOf(new URL("../../examples/demo-model/kumi-demo-q8_0.gguf", import.meta.url));
}

function pathOf(url: URL): string {
  if (url.protocol !== "file:") {
    throw new Error(
      `kumi's sources were loaded from ${url.origin}, which has neither the kernel library nor the demo model: ` +
        "add the package jsr:@kumi/kumi or npm:@kumi/kumi, or set KUMI_LIBRARY and name a model",
    );
  }
  const path = decodeURIComponent(url.pathname);
  return Deno.build.os === "windows" ? path.replace(/^\/(?=[A-Za-z]:)/, "") : path;
}
