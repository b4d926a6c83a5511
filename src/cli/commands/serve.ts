/** `kumi serve`: a model behind an HTTP interface that OpenAI's clients can use. @module */

import { cacheFolder } from "../../hub/cache.ts";
import { STUCK_EXIT_CODE } from "../../protocol/errors.ts";
import {
  ConfigError,
  type ConfigSources,
  resolveSettings,
  serveOptions,
} from "../../server/config/resolve.ts";
import { servePermissions } from "../../server/config/permissions.ts";
import { flagOf } from "../../protocol/options/option.ts";
import { CONFIG_FIELDS, isFileOnly, SETTINGS } from "../../server/config/settings.ts";
import { objectSchema } from "../../server/api/json_schema.ts";
import type { ServeOptions } from "../../server/options.ts";
import { serve as startServer } from "../../server/serve.ts";
import { runUntilSignal } from "../../server/signals.ts";
import { ROOT } from "../../setup/paths.ts";
import { chosenLibrary, HUB_HOSTS } from "../permissions.ts";
import { noteWait } from "../model_option.ts";
import { warnOfThreads } from "../threads_option.ts";
import { type Arguments, type Command, type OptionSpec, UsageError } from "../command.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine, printNote } from "../../process/print.ts";

const SETTING_OPTIONS: readonly OptionSpec[] = Object.entries(SETTINGS)
  .filter(([, setting]) => !isFileOnly(setting))
  .map(([name, { field, value, alias, help }]) => ({
    name: flagOf(name),
    alias,
    value,
    help: field.fallback === undefined ? help : `${help} (default ${field.fallback})`,
  }));

export const serve: Command = {
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
KUMI_API_KEYS_FILE), that before the configuration file. Latency classes ("classes") can only be set in the file.

  kumi serve                                          the demo model on http://127.0.0.1:8080
  curl http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"messages":[{"role":"user","content":"What is a KV cache?"}]}'
  kumi serve -m model.gguf --host 0.0.0.0 --api-keys keys.txt --allow-host llm.example.org

/docs describes the interface, /readyz says whether requests are taken. SIGTERM or Ctrl-C lets running requests end, a
second one, a second later or more, ends them at once.`,
  run: runServer,
};

async function runServer(args: Arguments): Promise<number> {
  if (args.switches.has("print-schema")) {
    const schema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      ...objectSchema(CONFIG_FIELDS),
    };
    printLine(JSON.stringify(schema, null, 2));
    return 0;
  }
  const sources: ConfigSources = {
    ...args,
    env: (name) => Deno.env.get(name),
    readFile: Deno.readTextFileSync,
  };
  let options: ServeOptions, exitWithParent: boolean | undefined;
  try {
    const settings = resolveSettings(sources);
    if (args.switches.has("print-permissions")) {
      const paths = { root: ROOT, library: chosenLibrary(), cache: cache(), hubHosts: HUB_HOSTS };
      printLine(servePermissions(settings, sources, paths).join(" "));
      return 0;
    }
    options = serveOptions(settings, sources);
    ({ exitWithParent } = settings);
    warnOfThreads(options.threads);
    if (exitWithParent && Deno.build.os === "windows") {
      throw new ConfigError(
        "--exit-with-parent does nothing on Windows, which tells no process that its parent has gone",
      );
    }
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message);
    throw error;
  }
  const onListen = (url: string) => announce(url, options.gate !== false);
  return await runUntilSignal(
    () => startServer({ ...options, onStuck: exitStuck, onWait: noteWait, onListen }),
    { exitWithParent },
  );
}

function announce(url: string, hasGate: boolean): void {
  printNote(`kumi: listening on ${url}, loading the model; ${url}/docs describes the interface`);
  if (hasGate) return;
  printNote("kumi: without the gate, a request without stream is computed to its end when its client leaves");
}

/** A thread in native code cannot be stopped: whoever started the server has to start it again. */
function exitStuck(reason: string): never {
  printNote(`kumi: the engine is stuck: ${oneLine(reason)}`);
  Deno.exit(STUCK_EXIT_CODE);
}

function cache(): string | null {
  try {
    return cacheFolder();
  } catch {
    return null;
  }
}
