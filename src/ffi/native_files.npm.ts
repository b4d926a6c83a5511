/**
 * `native_files.ts` of the npm package: the kernel library lies in the package of the platform, which npm's
 * clients install beside this one as an optional dependency, the demo model in this one.
 * @module
 */

import { fileURLToPath } from "node:url";
import { platformOf, PLATFORMS } from "./platform.ts";

/** The name of this package; the platform's is it with the platform behind. */
const PACKAGE = "@kumi/kumi";

/** What a user does about a library that is missing or unusable. */
export const REPAIR: string =
  `install ${PACKAGE} again, of one version and with its optional dependencies, or set KUMI_LIBRARY to a library built from a checkout`;

/** Path of this platform's library. Throws an Error where there is none. */
export function libraryFile(): string {
  const platform = platformOf();
  if (platform === undefined) {
    const built = PLATFORMS.map(({ id }) => id).join(", ");
    throw new Error(
      `kumi has no kernel library for ${Deno.build.target}, only for ${built}: ` +
        "build it from a checkout and set KUMI_LIBRARY to its path",
    );
  }
  const name = `${PACKAGE}-${platform.id}`;
  try {
    return fileURLToPath(import.meta.resolve(`${name}/${platform.library}`));
  } catch (cause) {
    throw new Error(`The package ${name} with the kernel library is not there: ${REPAIR}`, { cause });
  }
}

/** Path of the bundled demo model. */
export function demoModelFile(): string {
  return fileURLToPath(new URL("../../examples/demo-model/kumi-demo-q8_0.gguf", import.meta.url));
}
