/** What a command may touch, and Deno's permission flags that let it. @module */

import { cacheFolder, type Environment } from "../hub/cache.ts";
import { namedModel } from "../hub/named_models.ts";
import { isHubReference } from "../hub/reference.ts";
import { libraryFile } from "../ffi/native_files.ts";
import { pythonPrograms } from "../process/python.ts";

/**
 * What a command touches, as its arguments have it. Every command may read files, since models lie anywhere,
 * and its own variables of the environment; what is not said here is closed to it.
 */
export interface Access {
  /** Opens the kernel library, which is built first where there is none. */
  readonly library?: boolean;
  /** Files and folders that it writes to. */
  readonly write?: readonly string[] | "anywhere";
  /** Hosts that it asks or listens at, as `--allow-net` has them. */
  readonly net?: readonly string[];
  /** Variables of the environment beside its own. */
  readonly variables?: readonly string[];
  /** Downloads a model. */
  readonly hub?: boolean;
  /** The library is opened by processes that it starts, and not by itself. */
  readonly isSupervisor?: boolean;
  /** Programs that it runs. */
  readonly run?: readonly string[];
  /** Ends when the process that started it ends. */
  readonly endsWithParent?: boolean;
}

/** For a command that prints what it knows. */
export const NOTHING: Access = {};

/** For a command that computes with models: paths, "demo", `hf:…` or names of the list; undefined for one that is not there. */
export function modelAccess(spec: string, env: Environment, other?: string): Access {
  const access = { library: true, ...fileAccess(spec, env) };
  if (other === undefined) return access;
  const { hub, run = [] } = fileAccess(other, env);
  return { ...access, hub: access.hub || hub, run: [...new Set([...access.run ?? [], ...run])] };
}

/** For a command that only reads a model's file, and may have to download it. */
export function fileAccess(spec: string, env: Environment): Access {
  const isNamed = namedModel(spec) !== undefined;
  return {
    write: cacheFolders(env),
    hub: isNamed || isHubReference(spec),
    // pip fetches what the hub does not give.
    run: isNamed ? pythonPrograms(env("PATH") ?? "") : [],
  };
}

/** The cache folder; none where the environment names none: what needs it says so itself. */
export function cacheFolders(env: Environment = Deno.env.get): string[] {
  try {
    return [cacheFolder(env)];
  } catch {
    return [];
  }
}

/** The kernel library that a command opens: `KUMI_LIBRARY`, else the built or installed one. */
export function chosenLibrary(env: Environment = Deno.env.get): string {
  return env("KUMI_LIBRARY") || libraryFile();
}

/** The hub and the storage servers that it redirects to. */
export const HUB_HOSTS = "huggingface.co,*.huggingface.co,hf.co,*.hf.co";
const ENVIRONMENT =
  "KUMI_*,HF_*,XDG_*,HOME,USERPROFILE,LOCALAPPDATA,NO_COLOR,TERM,COLORTERM,COLUMNS,LINES,DISPLAY,WAYLAND_DISPLAY,PATH";
const SYSTEM = "systemMemoryInfo,cpus,statfs,loadavg";

/** The flags with which Deno lets a process do this and no more. */
export function permissionFlags(access: Access, env: Environment = Deno.env.get): string[] {
  const { library, isSupervisor = false, write = [], variables = [] } = access;
  const run = [...isSupervisor ? [Deno.execPath()] : [], ...access.run ?? []];
  return [
    "--no-prompt",
    "--allow-read",
    `--allow-sys=${SYSTEM}`,
    `--allow-env=${[ENVIRONMENT, ...variables].join(",")}`,
    "--ignore-env",
    ...library && !isSupervisor ? [`--allow-ffi=${chosenLibrary(env)}`] : [],
    ...write === "anywhere"
      ? ["--allow-write"]
      : write.length > 0
      ? [`--allow-write=${write.join(",")}`]
      : [],
    ...netFlags(access, env),
    ...run.length > 0 ? [`--allow-run=${run.join(",")}`] : [],
  ];
}

function netFlags({ net = [], hub }: Access, env: Environment): string[] {
  // Another hub redirects to servers that are not known here.
  if (hub && env("HF_ENDPOINT")) return ["--allow-net"];
  const hosts = [...net, ...hub ? [HUB_HOSTS] : []];
  return hosts.length > 0 ? [`--allow-net=${hosts.join(",")}`] : [];
}
