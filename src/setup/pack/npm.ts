/** The npm packages: kumi itself, and one for each platform with its kernel library. @module */

import { type Platform, PLATFORMS } from "../../ffi/platform.ts";
import { ROOT } from "../paths.ts";
import { packagesOf, readSources, type Sources, withStandIns } from "./sources.ts";
import { toDeclarations, toJavaScript } from "./transpile.ts";

/** What every package says of itself, from deno.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly imports: Readonly<Record<string, string>>;
}

/** A platform and its built library. */
export interface BuiltLibrary {
  readonly platform: Platform;
  readonly file: string;
}

export const DEMO_MODEL = "examples/demo-model/kumi-demo-q8_0.gguf";
/** The command line. */
export const CLI = "src/cli/main.ts";
/** The provider for the AI SDK. */
export const AI_SDK = "src/ai_sdk/mod.ts";
/**
 * Modules that users import, or run. `native_files` is for the JSR package, whose files cannot be opened by
 * path.
 */
const ENTRIES: Readonly<Record<string, string>> = {
  ".": "mod.ts",
  "./ai-sdk": AI_SDK,
  "./cli": CLI,
  "./native_files": "src/ffi/native_files.ts",
};
/** What an engine's process runs. */
const ENGINE = "src/engine/process.ts";
/** What the command line opens by path. */
const PROGRAMS = [
  "llamacpp.mjs",
  "line_loop.py",
  "openvino_peer.py",
  "mistralrs_peer.py",
  "ik_peer.py",
  "ik_peer.c",
].map((name) => `src/cli/bench/peer/programs/${name}`);
/** For npx, which starts programs as their first line says. */
const SHEBANG = "#!/usr/bin/env -S deno run --allow-all\n";
const DESCRIPTION = "Runs large language models on ordinary CPUs, for Deno";

const NPM_OS = { linux: "linux", darwin: "darwin", windows: "win32" } as const;
const NPM_CPU = { x86_64: "x64", aarch64: "arm64" } as const;

/** Name of the package that has a platform's library. */
export function platformPackage(manifest: Manifest, platform: Platform): string {
  return `${manifest.name}-${platform.id}`;
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify(value, null, 2) + "\n");
}

/** Writes texts under a folder, with the folders that they need. */
export async function writeFiles(folder: string, files: Iterable<readonly [string, string]>): Promise<void> {
  for (const [name, text] of files) {
    const path = `${folder}/${name}`;
    await Deno.mkdir(path.replace(/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
}

/** Copies README and the pages that it leads to. */
export async function copyPages(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/docs`, { recursive: true });
  const pages = Array.from(Deno.readDirSync(`${ROOT}/docs`), ({ name }) => `docs/${name}`);
  for (const file of ["README.md", ...pages]) await Deno.copyFile(`${ROOT}/${file}`, `${folder}/${file}`);
}

async function writePlatform(
  folder: string,
  manifest: Manifest,
  { platform, file }: BuiltLibrary,
): Promise<void> {
  const { version, license } = manifest;
  const { id, os, arch, libc, library } = platform;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.copyFile(file, `${folder}/${library}`);
  await Deno.copyFile(`${ROOT}/LICENSE`, `${folder}/LICENSE`);
  const text = `The kernel library of [kumi](https://www.npmjs.com/package/${manifest.name}) for ${id}.\n`;
  await Deno.writeTextFile(`${folder}/README.md`, text);
  await writeJson(`${folder}/package.json`, {
    name: platformPackage(manifest, platform),
    version,
    license,
    description: `Kernel library of kumi for ${id}`,
    os: [NPM_OS[os]],
    cpu: [NPM_CPU[arch]],
    ...(libc && { libc: [libc] }),
    files: [library],
  });
}

function exportsOf(): Record<string, { types: string; default: string }> {
  return Object.fromEntries(
    Object.entries(ENTRIES).map(([name, entry]) => {
      const path = entry.replace(/\.ts$/, "");
      return [name, { types: `./${path}.d.ts`, default: `./${path}.js` }];
    }),
  );
}

/** The version that an import map's `npm:name@version` fixes. */
function pinnedVersion(manifest: Manifest, name: string): string {
  const [, version] = new RegExp(`^npm:${name}@([\\d.]+)$`).exec(manifest.imports[name] ?? "") ?? [];
  if (version === undefined) throw new TypeError(`deno.json does not map ${name} to an exact version of npm`);
  return version;
}

async function writeMain(
  folder: string,
  manifest: Manifest,
  sources: Sources,
  built: readonly BuiltLibrary[],
) {
  const named = (name: string, ending: string) => name.replace(/\.ts$/, ending);
  await writeFiles(
    folder,
    [...sources].map(([name, text]) => {
      const code = toJavaScript(name, text);
      return [named(name, ".js"), name === CLI || name === ENGINE ? SHEBANG + code : code];
    }),
  );
  const declarations = toDeclarations(Object.values(ENTRIES), sources);
  await writeFiles(folder, [...declarations].map(([name, text]) => [named(name, ".d.ts"), text]));
  for (const file of [DEMO_MODEL, "LICENSE", ...PROGRAMS]) {
    await Deno.mkdir(`${folder}/${file}`.replace(/[^/]*$/, ""), { recursive: true });
    await Deno.copyFile(`${ROOT}/${file}`, `${folder}/${file}`);
  }
  await copyPages(folder);
  const { name, version, license } = manifest;
  const dependencies = packagesOf(sources).map((each) => [each, pinnedVersion(manifest, each)]);
  const optional = built.map(({ platform }) => [platformPackage(manifest, platform), version]);
  await writeJson(`${folder}/package.json`, {
    name,
    version,
    license,
    description: DESCRIPTION,
    keywords: ["deno", "llm", "inference", "gguf", "cpu"],
    type: "module",
    engines: { deno: ">=2.9" },
    exports: exportsOf(),
    bin: { kumi: named(CLI, ".js"), "kumi-engine": named(ENGINE, ".js") },
    dependencies: Object.fromEntries(dependencies),
    optionalDependencies: Object.fromEntries(optional),
  });
}

/**
 * Writes the packages into folders of their own: `kumi`, and `kumi-<platform>` for each library. Resolves to
 * the folders in the order in which they are to be published, kumi last.
 */
export async function packNpm(
  folder: string,
  manifest: Manifest,
  built: readonly BuiltLibrary[],
): Promise<string[]> {
  const folders: string[] = [];
  const inOrder = [...built].sort((a, b) => PLATFORMS.indexOf(a.platform) - PLATFORMS.indexOf(b.platform));
  for (const each of inOrder) {
    folders.push(`${folder}/kumi-${each.platform.id}`);
    await writePlatform(folders.at(-1)!, manifest, each);
  }
  const own = ["src/ffi/native_files", "src/client/process/engine_entry"];
  const replaced = new Map(
    await Promise.all(own.map(async (name): Promise<[string, string]> => [
      `${name}.ts`,
      await Deno.readTextFile(`${ROOT}/${name}.npm.ts`),
    ])),
  );
  const sources = await withStandIns(await readSources([...Object.values(ENTRIES), ENGINE], replaced));
  await writeMain(`${folder}/kumi`, manifest, sources, inOrder);
  return [...folders, `${folder}/kumi`];
}
