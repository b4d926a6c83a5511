/**
 * The JSR package: the TypeScript as it is. A JSR package has no optional dependencies and its files have no
 * paths to open, so it takes the kernel library and the demo model from the npm package of its own version.
 * @module
 */

import { ROOT } from "../paths.ts";
import { AI_SDK, CLI, copyPages, type Manifest, writeFiles } from "./npm.ts";
import { packagesOf, readSources } from "./sources.ts";

const EXPORTS = { ".": "./mod.ts", "./ai-sdk": `./${AI_SDK}`, "./cli": `./${CLI}` };

/** `src/ffi/native_files.ts` of the package. */
function nativeFiles({ name, version }: Manifest): string {
  return `/** Where the kernel library and the demo model lie: in npm's ${name} and its platform packages. @module */

const files: {
  readonly REPAIR: string;
  readonly libraryFile: () => string;
  readonly demoModelFile: () => string;
} = await import("npm:${name}@${version}/native_files");

/** What a user does about a library that is missing or unusable. */
export const REPAIR: string = files.REPAIR;

/** Path of this platform's library. Throws an Error where there is none. */
export const libraryFile: () => string = files.libraryFile;

/** Path of the bundled demo model. */
export const demoModelFile: () => string = files.demoModelFile;
`;
}

/** Writes the package, ready for `deno publish`, into a folder. */
export async function packJsr(folder: string, manifest: Manifest): Promise<void> {
  const replaced = new Map([["src/ffi/native_files.ts", nativeFiles(manifest)]]);
  const sources = await readSources(["mod.ts", AI_SDK, CLI], replaced);
  const names = packagesOf(sources);
  const files = [...sources].map(([path, text]): [string, string] => {
    for (const name of names) text = text.replaceAll(`from "${name}"`, `from "${manifest.imports[name]}"`);
    return [path, text];
  });
  await writeFiles(folder, files);
  await Deno.copyFile(`${ROOT}/LICENSE`, `${folder}/LICENSE`);
  await copyPages(folder);
  const { name, version, license } = manifest;
  const config = { name, version, license, exports: EXPORTS };
  await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(config, null, 2) + "\n");
}
