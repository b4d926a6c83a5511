/**
 * The command line and its engine in a few files. Deno takes a third of a millisecond to find, check and link each
 * module, and a command that answers a prompt has five hundred of them. Made again when a source has changed.
 * @module
 */

import { LOCAL_MAP, stdFlags, type StdSource } from "./import_map.ts";
import { BUILD, ROOT } from "./paths.ts";
import { lastWords } from "../process/python.ts";
import { capture } from "./process.ts";
import { Progress } from "./progress.ts";

const MAIN = "src/cli/main.ts";
/** Whoever starts a command asks it beforehand what the command may touch. */
const COMMAND_LINE = "src/cli/command_line.ts";
/** What is bundled by itself: its modules are a few large files, and not the many small ones that the needs of all together would cut. */
interface Part {
  /** Its folder. */
  readonly name: string;
  readonly first: readonly string[];
  /** The only commands in it; undefined: all. */
  readonly commands?: readonly string[];
}
const ALL: Part = { name: "main", first: [MAIN, COMMAND_LINE] };
/** Commands whose first word somebody waits for. */
const TALK: Part = { name: "talk", first: [MAIN, COMMAND_LINE], commands: ["run", "chat"] };
const WORKER: Part = { name: "worker", first: ["src/engine/worker.ts"] };
const PARTS: readonly Part[] = [ALL, TALK, WORKER];
/** What begins programs and threads, and the part that has it. */
const STARTED = new Map([
  [WORKER.first[0], WORKER],
  ...[MAIN, "src/engine/process.ts", "src/engine/process_worker.ts", "src/grammar/worker.ts"]
    .map((module) => [module, ALL] as const),
  ["src/server/residency/measure_worker.ts", ALL],
]);
/** Modules of which each command has its own. */
const OF_COMMAND = /^src\/cli\/(?:actions|commands)\/(\w+)\.ts$/;
/** Modules that are loaded, or started as workers and programs, by their URL. */
const MODULE_URL = /new URL\("(\.{1,2}\/[^"]+\.ts)", import\.meta\.url\)/g;
const IMPORTED = /\b(?:from|import\()\s*"(\.{1,2}\/[^"]+\.ts)"/g;
/** How the bundler names the module that the lines behind it are of. */
const MODULE_NAME = /^\/\/ ((?:src|scheduler)\/\S+\.ts)$/;
/** The bundler's own way to Node's modules, which it puts into the file that all others import. */
const NODE_REQUIRE =
  /import \{ createRequire as (\w+) \} from "node:module";\s*var (\w+) = \1\(import\.meta\.url\);/;
const FOLDER = `${BUILD}/bundle`;
/** The bundler needs npm once, to fetch its compiler; where that fails it is asked again after a day. */
const RETRY_MS = 24 * 60 * 60 * 1000;
/** Bundling takes seconds: whoever changed a source just now will change it again. */
const EDITING_MS = 10 * 60 * 1000;
/** Programs that run load parts of their bundle later: their sources may have changed twice meanwhile. */
const KEPT = 3;

/** What a bundle is made of, and where it lies. */
export interface BundleOptions {
  /** Where `@std/*` comes from. */
  readonly std: StdSource;
  /** What is to be run: some commands have files of their own. */
  readonly command?: string;
  /** Folder for bundles. */
  readonly folder?: string;
  readonly signal?: AbortSignal;
}

/** A source as it was: its path in the checkout, bytes, ms since 1970. */
type Look = readonly [path: string, bytes: number, changedMs: number];

/** The last bundle that was made, or tried. */
interface Made {
  /** Absent: it could not be made. */
  readonly folder?: string;
  /** What it depends on beside sources. */
  readonly key: string;
  readonly atMs: number;
  /** The sources in it. A new one is in it through another that names it. */
  readonly looks: readonly Look[];
}

/** Paths of modules of a bundle. */
export interface Bundle {
  /** To run in place of `src/cli/main.ts`. */
  readonly main: string;
  /** To load in place of `src/cli/command_line.ts`. */
  readonly commandLine: string;
}

/** The bundle that there is of the sources as they are. */
export function knownBundle({ std, command, folder = FOLDER }: BundleOptions): Bundle | undefined {
  const { known, isCurrent } = lookUp(memoryIn(folder), keyOf(std));
  return isCurrent ? bundleIn(known?.folder, command) : undefined;
}

/** The same, made where there is none. Undefined where none can be made: then the modules do as well. */
export async function ensureBundle(
  { std, command, folder = FOLDER, signal }: BundleOptions,
): Promise<Bundle | undefined> {
  const memory = memoryIn(folder), key = keyOf(std);
  const { known, changed, isCurrent } = lookUp(memory, key);
  if (isCurrent) {
    const bundle = bundleIn(known?.folder, command);
    if (bundle !== undefined) return bundle;
    if (known?.folder === undefined && Date.now() - known!.atMs < RETRY_MS) return undefined;
  }
  if (changed !== undefined && isBeingEdited(changed)) return undefined;
  await Deno.mkdir(folder, { recursive: true });
  const made = await Deno.makeTempDir({ dir: folder, prefix: "made-" });
  // The look first: what changes in between is bundled the next time.
  const atMs = Date.now();
  const sources = await bundle(made, std, signal);
  if (sources === undefined) await Deno.remove(made, { recursive: true });
  const looks = ["deno.json", LOCAL_MAP.slice(ROOT.length + 1), ...sources ?? [MAIN]].map(lookAt);
  const isWhole = looks.every(([, , changedMs]) => changedMs < atMs);
  const record: Made = { folder: sources && made, key, atMs, looks };
  if (isWhole) await Deno.writeTextFile(memory, JSON.stringify(record));
  removeOld(folder);
  return sources && bundleIn(made, command);
}

/** Undefined where its files are not there. */
function bundleIn(folder: string | undefined, command = ""): Bundle | undefined {
  if (folder === undefined) return undefined;
  const part = TALK.commands!.includes(command) ? TALK : ALL;
  const [main, commandLine] = [MAIN, COMMAND_LINE].map((module) => placeIn(folder, part, module));
  return [main, commandLine].every(isThere) ? { main, commandLine } : undefined;
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function memoryIn(folder: string): string {
  return `${folder}/made.json`;
}

function keyOf(std: StdSource): string {
  return `${Deno.version.deno} ${std}`;
}

/** The last bundle, a source that has changed since, and whether it is one of what there is now. */
function lookUp(memory: string, key: string): { known?: Made; changed?: Look; isCurrent: boolean } {
  const known = read(memory);
  const changed = known?.looks.find((look) => !isSame(look));
  return { known, changed, isCurrent: known?.key === key && changed === undefined };
}

function placeIn(folder: string, part: Part, module: string): string {
  return `${folder}/${part.name}/${module.replace(/^src\//, "").replace(/\.ts$/, ".js")}`;
}

function read(memory: string): Made | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(memory));
  } catch {
    return undefined; // none yet, or damaged
  }
}

// Synchronous: hundreds of files, of which each would be a round of the event loop at every start.
function lookAt(path: string): Look {
  const { size, mtime } = Deno.statSync(`${ROOT}/${path}`);
  return [path, size, mtime?.getTime() ?? 0];
}

function isSame([path, bytes, changedMs]: Look): boolean {
  try {
    const [, bytesNow, changedNowMs] = lookAt(path);
    return bytesNow === bytes && changedNowMs === changedMs;
  } catch {
    return false;
  }
}

function isBeingEdited([path]: Look): boolean {
  try {
    const [, , changedMs] = lookAt(path);
    return Math.abs(Date.now() - changedMs) < EDITING_MS;
  } catch {
    return false;
  }
}

/** Bundles into a folder. Gives the sources in it, undefined where Deno could not. */
async function bundle(folder: string, std: StdSource, signal?: AbortSignal): Promise<string[] | undefined> {
  using progress = new Progress("Bundling the command line, so that it starts sooner");
  const reasons = await Promise.all(PARTS.map((part) => bundlePart(folder, part, std, signal)));
  const reason = reasons.find((each) => each !== undefined);
  progress.end(
    reason === undefined
      ? `Bundled the command line in ${progress.seconds.toFixed(1)} s`
      : `Could not bundle the command line, it starts more slowly: ${reason}`,
  );
  if (reason !== undefined) return undefined;
  const sources = new Set<string>();
  for (const part of PARTS) await placeModules(folder, part, sources);
  return [...sources];
}

/** Resolves to the reason where Deno could not. */
async function bundlePart(
  folder: string,
  part: Part,
  std: StdSource,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const flags = ["--quiet", `--config=${ROOT}/deno.json`, ...stdFlags(std)];
  const how = ["--platform=deno", "--code-splitting", `--outdir=${folder}/${part.name}`];
  const command = [Deno.execPath(), "bundle", ...flags, ...how, ...await entries(part)];
  const done = await capture(command, { cwd: ROOT, env: { NO_COLOR: "1", RUST_BACKTRACE: "0" }, signal });
  if (done?.code === 0) return undefined;
  return done === null ? `${command[0]} is not there` : lastWords(done.stderr) || `deno bundle: ${done.code}`;
}

/** Leads what a part's files load to where it is, and adds their sources to `sources`. */
async function placeModules(folder: string, part: Part, sources: Set<string>): Promise<void> {
  const own = `${folder}/${part.name}`;
  const outputs = new Set(scriptsIn(own).map((output) => `${own}/${output}`));
  for (const output of outputs) {
    const placed = withPlaces(withLateNode(await Deno.readTextFile(output)), (module) => {
      const started = STARTED.get(module);
      if (started !== undefined) return placeIn(folder, started, module);
      const place = placeIn(folder, part, module);
      return outputs.has(place) ? place : `${ROOT}/${module}`;
    }, (module) => sources.add(module));
    await Deno.writeTextFile(output, placed);
  }
}

/** A part's first modules, and what it loads by URL: all that has to have an output of its own. */
async function entries(part: Part): Promise<string[]> {
  const { first, commands } = part;
  const found = new Set(first);
  // It grows while it is gone through.
  const modules = new Set(found);
  for (const module of modules) {
    const text = await Deno.readTextFile(`${ROOT}/${module}`);
    for (const [, to] of text.matchAll(IMPORTED)) modules.add(resolve(to, module));
    for (const [, to] of text.matchAll(MODULE_URL)) {
      const loaded = resolve(to, module);
      const command = OF_COMMAND.exec(loaded)?.[1];
      const isOther = command !== undefined && commands?.includes(command) === false;
      if (isOther || (STARTED.get(loaded) ?? part) !== part) continue;
      modules.add(loaded);
      found.add(loaded);
    }
  }
  return [...found];
}

function resolve(specifier: string, module: string): string {
  return new URL(specifier, `file:///${module}`).pathname.slice(1);
}

function scriptsIn(folder: string, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? scriptsIn(`${folder}/${name}`, `${prefix}${name}/`) : [prefix + name]
  ).filter((name) => name.endsWith(".js"));
}

/**
 * The text of an output that loads Node's modules when a package asks for one. As the bundler writes it, each program and each worker
 * would begin with a part of Node: 25 ms.
 */
export function withLateNode(text: string): string {
  return text.replace(
    NODE_REQUIRE,
    'var $2 = (name) => process.getBuiltinModule("node:module").createRequire(import.meta.url)(name);',
  );
}

/**
 * The text of an output in which each module still lies where it lay. `placeOf`: where a module is that is loaded by its URL; `found`
 * is told the modules in it. Throws a TypeError where a place has no module before it.
 */
export function withPlaces(
  text: string,
  placeOf: (module: string) => string,
  found: (module: string) => void = () => {},
): string {
  let module: string | undefined;
  const url = (path: string) => JSON.stringify(new URL(`file://${path}`).href);
  return text.split("\n").map((line) => {
    const name = MODULE_NAME.exec(line)?.[1];
    if (name !== undefined) found(module = name);
    // The bundler's own way to Node's modules may begin anywhere.
    if (!/\bimport\.meta\.(?:url|dirname)\b/.test(line) || /createRequire\(/.test(line)) return line;
    if (module === undefined) throw new TypeError(`no module is named before ${line.slice(0, 80)}`);
    const own = `${ROOT}/${module}`, from = module;
    return line
      .replace(MODULE_URL, (_, specifier) => `new URL(${url(placeOf(resolve(specifier, from)))})`)
      .replaceAll(/\bimport\.meta\.url\b/g, url(own))
      .replaceAll(/\bimport\.meta\.dirname\b/g, JSON.stringify(own.replace(/\/[^/]*$/, "")));
  }).join("\n");
}

function removeOld(folder: string): void {
  const bundles = [...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory).map(({ name }) => {
    const path = `${folder}/${name}`;
    return { path, madeMs: Deno.statSync(path).mtime?.getTime() ?? 0 };
  });
  bundles.sort((a, b) => b.madeMs - a.madeMs);
  for (const { path } of bundles.slice(KEPT)) {
    try {
      Deno.removeSync(path, { recursive: true });
    } catch {
      // somebody else removes it
    }
  }
}
