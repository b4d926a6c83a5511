/** Makes the page's assets of its sources. @module */

import { ROOT } from "../paths.ts";
import { capture } from "../process.ts";
import { installPackages, PAGE, PageError } from "./packages.ts";

/** The module that the server reads. Committed: a checkout can serve the page as it is. */
export const ASSETS = `${ROOT}/src/ui/assets.ts`;

const HEAD =
  `// Written by \`deno task page\` from src/ui/page and the packages of npm that its deno.json names: do not edit.

/** The files of the page by name. Licences of what is in them: licences.txt. */
export const ASSETS: Readonly<Record<string, string>> = {
`;

/** Oldest browsers that the page is for. */
const TARGET = "es2022,chrome120,firefox120,safari17";

/** The text of {@linkcode ASSETS} as it must be. Throws a PageError. */
export async function assetsModule(): Promise<string> {
  const folder = await installPackages();
  const out = await Deno.makeTempDir();
  try {
    await bundle(folder, out);
    const files = new Map<string, string>();
    for (const { name } of [...Deno.readDirSync(out)].sort((a, b) => a.name < b.name ? -1 : 1)) {
      files.set(name, await Deno.readTextFile(`${out}/${name}`));
    }
    files.set("icon.svg", await Deno.readTextFile(`${PAGE}/icon.svg`));
    files.set("licences.txt", await licences(folder));
    const rows = [...files].map(([name, text]) => `  ${JSON.stringify(name)}: ${JSON.stringify(text)},\n`);
    return `${HEAD}${rows.join("")}};\n`;
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

async function bundle(folder: string, out: string): Promise<void> {
  const options = [
    ...["--bundle", "--minify", "--splitting", "--format=esm", `--target=${TARGET}`, "--charset=utf8"],
    ...["--jsx=automatic", "--jsx-import-source=preact", "--legal-comments=none", "--tsconfig-raw={}"],
    ...["--entry-names=[name]", "--chunk-names=[name]-[hash]", `--outdir=${out}`, "--log-level=warning"],
  ];
  const command = [
    "node",
    `${folder}/node_modules/esbuild/bin/esbuild`,
    "main.tsx",
    "docs.ts",
    "styles/page.css",
    "styles/docs.css",
  ];
  const env = { NODE_PATH: `${folder}/node_modules` };
  const result = await capture([...command, ...options], { cwd: PAGE, env });
  if (result === null) throw new PageError("node was not found: the bundler of the page runs with it");
  if (result.code !== 0) throw new PageError(`the page cannot be bundled:\n${result.stderr}`);
}

/** What is in the page but is not ours. */
const BUNDLED = ["preact", "marked", "lowlight", "devlop", "highlight.js", "uplot"];

async function licences(folder: string): Promise<string> {
  const texts = await Promise.all(BUNDLED.map(async (name) => {
    const from = `${folder}/node_modules/${name}`;
    const { version, license } = JSON.parse(await Deno.readTextFile(`${from}/package.json`));
    const file = [...Deno.readDirSync(from)].find((each) => /^licen[cs]e(\.md)?$/i.test(each.name));
    if (file === undefined) throw new PageError(`${name} has no licence file`);
    return `${name} ${version} (${license})\n\n${(await Deno.readTextFile(`${from}/${file.name}`)).trim()}\n`;
  }));
  return texts.join(`\n${"-".repeat(60)}\n\n`);
}
