/** The packages of npm that the page is made of, and what makes it of them. @module */

import { BUILD, ROOT } from "../paths.ts";
import { capture } from "../process.ts";

/** Where the page's sources lie. Their deno.json says which packages they use. */
export const PAGE = `${ROOT}/src/ui/page`;
/** The bundler: another version may write the same program otherwise. */
const BUNDLER = { esbuild: "0.28.2" };
const FOLDER = `${BUILD}/page`;

/** The page cannot be made; the message says why. */
export class PageError extends Error {
  override readonly name = "PageError";
}

/** Exact versions by package. Throws a PageError for a version that is not exact. */
export function packagesIn(imports: Readonly<Record<string, string>>): Record<string, string> {
  const packages: Record<string, string> = {};
  for (const [name, target] of Object.entries(imports)) {
    const [, own, version] = /^npm:\/?((?:@[\w.-]+\/)?[\w.-]+)@(\d+\.\d+\.\d+)\/?$/.exec(target) ?? [];
    if (own === undefined) throw new PageError(`${name} has no exact version of npm: ${target}`);
    packages[own] = version;
  }
  return packages;
}

/** Installs them where that is not done yet; resolves to the folder that has `node_modules`. */
export async function installPackages(): Promise<string> {
  const { imports } = JSON.parse(await Deno.readTextFile(`${PAGE}/deno.json`));
  const dependencies = { ...packagesIn(imports), ...BUNDLER };
  const manifest = JSON.stringify({ private: true, dependencies }, null, 2);
  const done = `${FOLDER}/installed.json`;
  if (await Deno.readTextFile(done).catch(() => "") === manifest) return FOLDER;
  await Deno.remove(FOLDER, { recursive: true }).catch(() => {});
  await Deno.mkdir(FOLDER, { recursive: true });
  await Deno.writeTextFile(`${FOLDER}/package.json`, manifest);
  const result = await capture(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: FOLDER,
  });
  if (result === null) throw new PageError("npm was not found: it brings the packages of the page");
  if (result.code !== 0) {
    throw new PageError(`npm install failed: ${(result.stderr || result.stdout).trim()}`);
  }
  await Deno.writeTextFile(done, manifest);
  return FOLDER;
}
