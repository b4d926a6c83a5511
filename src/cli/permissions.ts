/** What a command line may do: as little as its arguments allow. @module */

import { resolve } from "node:path";
import { cacheFolder, type Environment } from "../hub/cache.ts";
import { listenHosts } from "../server/config/permissions.ts";
import { resolveSettings, type Settings } from "../server/config/resolve.ts";
import { flagOf } from "../protocol/options/option.ts";
import { SETTINGS } from "../server/config/settings.ts";
import { libraryFile } from "../ffi/native_files.ts";

const ENVIRONMENT = "KUMI_*,HF_*,XDG_*,HOME,USERPROFILE,LOCALAPPDATA,NO_COLOR,TERM,COLORTERM,COLUMNS,LINES";
const SYSTEM = "systemMemoryInfo,cpus,statfs,loadavg";
/** The hub and the storage servers that it redirects to. */
export const HUB_HOSTS = "huggingface.co,*.huggingface.co,hf.co,*.hf.co";

/** Reads no kernel library: such a command starts without building one. */
export function needsLibrary(args: readonly string[]): boolean {
  const isHelp = args.length === 0 || args.some((arg) => arg === "--help" || arg === "-h") ||
    ["help", "version", "--version", "-V"].includes(args[0]);
  return !isHelp && !["tokenize", "loadtest"].includes(args[0]);
}

/** The kernel library that a command opens: `KUMI_LIBRARY`, else the built or installed one. */
export function chosenLibrary(env: Environment = Deno.env.get): string {
  return env("KUMI_LIBRARY") || libraryFile();
}

/** The file or folder that a command may write to: "" for any, null for none. */
function writableFolder(args: readonly string[], env: Environment): string | null {
  if (args[0] === "quantize") return "";
  if (args[0] === "loadtest") return optionValue(args, "svg") ?? null;
  try {
    return cacheFolder(env);
  } catch {
    return null; // no HOME: what needs the cache says so itself
  }
}

/**
 * Deno's permission flags for `kumi <args>`. Models may lie anywhere, so reading is open. Writing is limited to the cache
 * folder except for `quantize`, whose output may lie anywhere, and for the picture of `loadtest`; the network is closed except
 * for `hf:` models, the address of `serve` and the server of `loadtest`; programs are run only for `bench --peer`.
 */
export function commandPermissions(args: readonly string[], env: Environment = Deno.env.get): string[] {
  const server = args[0] === "serve" ? serverAccess(args.slice(1), env) : null;
  const isDownload = server?.isDownload ?? args.some((arg) => /^(?:--?\w+=)?hf:/.test(arg));
  const permissions = [
    "--no-prompt",
    "--allow-read",
    `--allow-ffi=${chosenLibrary(env)}`,
    `--allow-sys=${SYSTEM}`,
    `--allow-env=${ENVIRONMENT}`,
    "--ignore-env",
  ];
  const folder = writableFolder(args, env);
  if (folder !== null) permissions.push(folder === "" ? "--allow-write" : `--allow-write=${folder}`);
  // Another hub redirects to servers that are not known here.
  const net = [...server?.net ?? [], ...isDownload ? [HUB_HOSTS] : []];
  if (isDownload && env("HF_ENDPOINT")) permissions.push("--allow-net");
  else if (net.length > 0) permissions.push(`--allow-net=${net.join(",")}`);
  if (args[0] === "loadtest") permissions.push(...serverPermissions(args));
  if (hasPeer(args)) permissions.push("--allow-run=node,npm");
  return permissions;
}

/** `loadtest` talks to the one server that its address names. */
function serverPermissions(args: readonly string[]): string[] {
  const url = args.slice(1).map((arg) => URL.parse(arg)).find((each) =>
    /^https?:$/.test(each?.protocol ?? "")
  );
  if (!url) return [];
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return [`--allow-net=${url.hostname}:${port}`];
}

/** The value of `--name value` or `--name=value`. */
function optionValue(args: readonly string[], name: string): string | undefined {
  const at = args.findIndex((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`));
  if (at < 0) return undefined;
  return args[at].includes("=") ? args[at].slice(name.length + 3) : args[at + 1];
}

/** Whether a command line asks for a server that ends with the process that started it. */
export function endsWithParent(args: readonly string[], env: Environment = Deno.env.get): boolean {
  return args[0] === "serve" && Deno.build.os !== "windows" &&
    serverSettings(args.slice(1), env)?.exitWithParent === true;
}

/** What a server needs of the network. */
function serverAccess(args: readonly string[], env: Environment): { net: string[]; isDownload: boolean } {
  const settings = serverSettings(args, env);
  if (settings === null) return { net: [], isDownload: false };
  return { net: listenHosts(settings), isDownload: settings.model.startsWith("hf:") };
}

/** Null for settings that cannot be: the command itself reports them. */
function serverSettings(args: readonly string[], env: Environment): Settings | null {
  const values = new Map<string, string>();
  const switches = new Set<string>();
  for (let i = 0; i < args.length; i++) {
    const [, dashes, name, value] = /^(--?)([a-z-]+)(?:=(.*))?$/s.exec(args[i]) ?? [];
    if (name === undefined) continue;
    if (SWITCHES.has(name)) switches.add(name);
    else values.set(dashes === "-" ? ALIASES.get(name) ?? name : name, value ?? args[i + 1] ?? "");
  }
  try {
    const readFile = (path: string) => Deno.readTextFileSync(resolve(env("INIT_CWD") ?? ".", path));
    return resolveSettings({ values, switches, env, readFile });
  } catch {
    return null;
  }
}

const SWITCHES = new Set(
  Object.entries(SETTINGS).flatMap(([name, { value }]) => value === undefined ? [flagOf(name)] : []),
);
const ALIASES: ReadonlyMap<string, string> = new Map(
  Object.entries(SETTINGS).flatMap(([name, { alias }]) =>
    alias === undefined ? [] : [[alias, flagOf(name)] as const]
  ),
);

/** `bench --peer` runs llama.cpp in node, and npm to get it. */
function hasPeer(args: readonly string[]): boolean {
  return args[0] === "bench" && args.some((arg) => /^--peer(?:=|$)/.test(arg));
}
