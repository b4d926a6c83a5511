import { assert, assertThrows } from "@std/assert";
import * as checkout from "./native_files.ts";
import * as npm from "./native_files.npm.ts";
import { platformOf } from "./platform.ts";

Deno.test("libraryFile() and demoModelFile() name files of this checkout", () => {
  assert(/\/\.build\/lib\/(?:lib)?kumi\.\w+$/.test(checkout.libraryFile()));
  assert(Deno.statSync(checkout.demoModelFile()).isFile);
  assert(Deno.statSync(npm.demoModelFile()).isFile);
});

Deno.test("libraryFile() of the npm package says which package is missing and what to do", () => {
  const platform = platformOf();
  const expected = platform === undefined
    ? "only for linux-x64-gnu"
    : `@kumi/kumi-${platform.id} with the kernel`;
  const error = assertThrows(() => npm.libraryFile(), Error, expected) as Error;
  assert(error.message.includes("KUMI_LIBRARY"), error.message);
});
