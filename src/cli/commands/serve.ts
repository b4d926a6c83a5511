/** `kumi serve`: a model behind an HTTP interface that OpenAI's clients can use. @module */

import { resolve } from "node:path";
import type { Environment } from "../../hub/cache.ts";
import { flagOf } from "../../protocol/options/option.ts";
import { isFileOnly, SETTINGS } from "../../server/config/settings.ts";
import { type Access, cacheFolders, modelAccess, NOTHING } from "../access.ts";
import { pageOpener } from "../open_key.ts";
import { type Arguments, type KumiCommand, type OptionSpec, UsageError } from "../command.ts";

const SETTING_OPTIONS: readonly OptionSpec[] = Object.entries(SETTINGS)
  .filter(([, setting]) => !isFileOnly(setting))
  .map(([name, { fallback, value, alias, help, isList }]) => ({
    name: flagOf(name),
    alias,
    value,
    isList,
    help: fallback === undefined ? help : `${help} (default ${fallback})`,
  }));

export const serve: KumiCommand = {
  name: "serve",
  summary: "serve a model over HTTP, for OpenAI's clients",
  usage: "serve [options]",
  positionals: { min: 0, max: 0 },
  options: [
    ...SETTING_OPTIONS,
    { name: "config", value: "FILE", help: "JSON file with settings, named as in --print-schema" },
    { name: "print-permissions", help: "print the permissions that this server needs of Deno, and exit" },
    { name: "print-schema", help: "print the JSON schema of the configuration file, and exit" },
  ],
  details: `A flag counts before its environment variable (--drain-seconds: KUMI_DRAIN_SECONDS; --api-keys:
KUMI_API_KEYS_FILE), that before the configuration file. Latency classes ("classes"), what API keys may use ("keys") and other
servers that answer, too ("upstreams", "routing"), can only be set in the file.

  kumi serve                                          the demo model on http://127.0.0.1:8080
  curl http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"messages":[{"role":"user","content":"What is a KV cache?"}]}'
  kumi serve -m model.gguf --host 0.0.0.0 --api-keys keys.txt --allow-host llm.example.org
  kumi serve -m small=smollm2 -m large=model.gguf --keep-alive 10m
                                                      two models, each in memory while it is asked for

/docs describes the interface, /readyz says whether requests are taken. SIGHUP reads the configuration file and the key file
again; the log says what changed and what waits for a new start. SIGTERM or Ctrl-C lets running requests end, a
second one, a second later or more, ends them at once.`,
  access: serverAccess,
};

/** A server listens where its settings have it, and these may come from the environment and a file. */
async function serverAccess(args: Arguments, env: Environment): Promise<Access> {
  if (args.switches.has("print-schema") || args.switches.has("print-permissions")) return NOTHING;
  const { ConfigError, resolveSettings } = await import("../../server/config/resolve.ts");
  const { keptPaths, listenHosts, modelSpecs, recordFiles, upstreamAccess } = await import(
    "../../server/config/permissions.ts"
  );
  // Whoever asks for a command may stand elsewhere than its user.
  const readFile = (path: string) => Deno.readTextFileSync(resolve(env("INIT_CWD") ?? ".", path));
  try {
    const settings = resolveSettings({ ...args, env, readFile });
    const specs = modelSpecs(settings);
    const all = [...specs.models, ...specs.drafts].map((model) => modelAccess(model, env));
    const access = {
      library: true,
      hub: all.some(({ hub }) => hub),
      write: [...new Set([...cacheFolders(env), ...all.flatMap(({ write = [] }) => write)])],
      run: [...new Set(all.flatMap(({ run = [] }) => run))],
    };
    const opener = pageOpener(env);
    const upstreams = upstreamAccess(settings);
    const recorded = settings.record === undefined ? [] : recordFiles(settings.record);
    return {
      ...access,
      isSupervisor: settings.supervise === true,
      run: [...access.run, ...opener === null || settings.noUi ? [] : [opener]],
      write: [
        ...access.write,
        ...recorded,
        ...keptPaths(settings),
        ...upstreams.kept,
      ],
      net: [...listenHosts(settings), ...upstreams.hosts],
      variables: upstreams.variables,
      endsWithParent: settings.exitWithParent === true && Deno.build.os !== "windows",
    };
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message);
    throw error;
  }
}
