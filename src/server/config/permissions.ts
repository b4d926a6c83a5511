/** What a server has to be allowed to do. @module */

import { partPaths } from "../../gguf/split.ts";
import { namedModel } from "../../hub/named_models.ts";
import { isHubReference } from "../../hub/reference.ts";
import { PYTHONS } from "../../process/python.ts";
import { configFile, type ConfigSources, modelsOf } from "./resolve.ts";
import { keptFiles } from "../kept_file.ts";
import type { Settings } from "./settings.ts";

/** Where things lie that the server reads. */
export interface ServerPaths {
  /** The checkout, or the package; null where its modules are no files. */
  readonly root: string | null;
  /** The kernel library. */
  readonly library: string;
  /** The program that runs modules. */
  readonly deno: string;
  /** Folder for downloaded models; null where there is none. */
  readonly cache: string | null;
  /** The hosts that models come from. */
  readonly hubHosts: string;
}

/** Deno's permission flags with which the server runs, and without one of which it does not. */
export function servePermissions(settings: Settings, sources: ConfigSources, paths: ServerPaths): string[] {
  const { models: served, drafts, modelsDir } = modelSpecs(settings);
  const models = [...served, ...drafts];
  const isNamed = models.some((model) => namedModel(model) !== undefined);
  const isRemote = (model: string) => namedModel(model) !== undefined || isHubReference(model);
  const isDownload = models.some(isRemote);
  const { root } = paths;
  const { record } = settings;
  const recorded = record === undefined ? [] : recordFiles(record);
  const read = [...root === null ? [] : [`${root}/src`, `${root}/scheduler`], paths.library];
  for (const model of models) {
    if (model === "demo") read.push(...root === null ? [] : [`${root}/examples/demo-model`]);
    else if (!isRemote(model)) read.push(...partPaths(model));
  }
  if (modelsDir !== undefined) read.push(modelsDir);
  read.push(...recorded);
  const upstreams = upstreamAccess(settings);
  const files = [configFile(sources), settings.apiKeys, settings.receiptKey, settings.prefixStoreKey];
  for (const file of [...files, ...upstreams.files]) if (file !== undefined) read.push(file);
  const net = [...listenHosts(settings), ...upstreams.hosts];
  if (isDownload) {
    net.push(paths.hubHosts);
    if (paths.cache !== null) read.push(paths.cache);
  }
  const kept = [...keptPaths(settings), ...upstreams.kept];
  read.push(...kept);
  const write = [...isDownload && paths.cache !== null ? [paths.cache] : [], ...recorded, ...kept];
  const run = [
    ...settings.supervise ? [paths.deno] : [],
    // pip fetches a model of the list that the hub does not give.
    ...isNamed ? PYTHONS.map(([program]) => program) : [],
  ];
  return [
    "--no-prompt",
    `--allow-net=${net.join(",")}`,
    `--allow-read=${read.join(",")}`,
    ...write.length > 0 ? [`--allow-write=${write.join(",")}`] : [],
    // An engine in a process of its own has permissions of its own, and the server opens no library.
    ...settings.supervise ? [] : [`--allow-ffi=${paths.library}`],
    ...run.length > 0 ? [`--allow-run=${run.join(",")}`] : [],
    `--allow-env=${["KUMI_*", "HF_*", "XDG_*", "HOME", ...upstreams.variables].join(",")}`,
    "--ignore-env",
  ];
}

/** The folders and files that a server keeps something in. */
export function keptPaths({ batchDir, audit, prefixStore, usageFile }: Settings): string[] {
  const folders = [batchDir, audit, prefixStore].flatMap((folder) => folder ?? []);
  return [...folders, ...usageFile === undefined ? [] : keptFiles(usageFile)];
}

/** What upstreams need: their hosts, where their keys lie, and where is kept what they cost. */
export function upstreamAccess({ upstreams = [], routing = {} }: Settings) {
  const unique = (values: readonly (string | undefined)[]) => [
    ...new Set(values.filter((value) => value !== undefined)),
  ];
  return {
    hosts: unique(upstreams.map(({ url }) => hostOf(url))),
    files: unique(upstreams.map(({ keyFile }) => keyFile)),
    kept: routing.spendFile === undefined ? [] : keptFiles(routing.spendFile),
    variables: unique(upstreams.map(({ keyEnv }) => keyEnv)),
  };
}

/** As --allow-net has it; undefined for what is no address, which is refused elsewhere. */
function hostOf(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.hostname === "") return undefined;
  return `${parsed.hostname}:${parsed.port || (parsed.protocol === "https:" ? 443 : 80)}`;
}

/** What a server's models are made of, and what guesses ahead for them. Throws a ConfigError. */
export function modelSpecs(
  settings: Settings,
): { readonly models: readonly string[]; readonly drafts: readonly string[]; readonly modelsDir?: string } {
  const served = modelsOf(settings);
  const models = served.isShared ? served.models : [{ model: served.model, draft: undefined }];
  return {
    models: models.map(({ model }) => model),
    drafts: [settings.load.draft, ...models.map(({ draft }) => draft)].filter((draft) => draft !== undefined),
    ...served.isShared ? { modelsDir: served.modelsDir } : {},
  };
}

/** The files that a recording of traffic is kept in. */
export function recordFiles(path: string): string[] {
  return [path, `${path}.1`];
}

/**
 * Where the server listens, as --allow-net has it. Behind its gate it listens on any port of this machine.
 */
export function listenHosts({ host, port, noGate }: Settings): string[] {
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  const inner = noGate ? [] : ["127.0.0.1"];
  return inner.includes(name) ? inner : [port === 0 ? name : `${name}:${port}`, ...inner];
}
