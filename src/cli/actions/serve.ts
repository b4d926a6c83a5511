/** What `kumi serve` does. @module */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readReceiptKey } from "../../protocol/receipts/sign.ts";
import type { ReceiptOptions } from "../../server/receipts/office.ts";
import { STUCK_EXIT_CODE } from "../../protocol/errors.ts";
import {
  ConfigError,
  configFile,
  type ConfigSources,
  modelsOf,
  resolveSettings,
  serveOptions,
} from "../../server/config/resolve.ts";
import { type Reloaded, Reloader } from "../../server/config/reload.ts";
import { servePermissions } from "../../server/config/permissions.ts";
import type { ServedModels } from "../../server/config/served_models.ts";
import type { ServeModelsOptions, ServeOptions } from "../../server/options.ts";
import { type RunningServer, serve as startServer } from "../../server/serve.ts";
import { serveModels } from "../../server/serve_models.ts";
import { runUntilSignal } from "../../server/signals.ts";
import { counted } from "../counted.ts";
import { cacheFolders, chosenLibrary, HUB_HOSTS } from "../access.ts";
import type { DocumentAnswer } from "../../server/documents.ts";
import { noteWait } from "../model_option.ts";
import { limits } from "../../ffi/symbols.ts";
import { MEGABYTE, type Settings } from "../../server/config/settings.ts";
import { LineFile } from "../../traffic/line_file.ts";
import { TrafficRecorder } from "../../traffic/recorder.ts";
import { offerToOpen, openWith, pageOpener } from "../open_key.ts";
import { warnOfThreads } from "../threads_option.ts";
import { type Arguments, UsageError } from "../command.ts";
import { fileReason } from "../../process/file_reason.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine, printNote } from "../../process/print.ts";

/** The folder that the sources lie in, as those of a checkout or of a package of npm do. */
const SOURCES = import.meta.url.startsWith("file:")
  ? fileURLToPath(new URL("../../../", import.meta.url)).replace(/[\\/]$/, "")
  : null;

/** Serves until a signal ends it, or prints what it was asked to print. */
export async function runServer(args: Arguments): Promise<number> {
  if (args.switches.has("print-schema")) {
    const { configSchema } = await import("../../server/config/json_schema.ts");
    printLine(JSON.stringify(configSchema(), null, 2));
    return 0;
  }
  const sources: ConfigSources = {
    ...args,
    env: (name) => Deno.env.get(name),
    readFile: Deno.readTextFileSync,
  };
  let options: ReturnType<typeof serveOptions>, models: ReturnType<typeof modelsOf>;
  let exitWithParent: boolean | undefined, recorder: TrafficRecorder | undefined;
  let receipts: ReceiptOptions, audit: LineFile | undefined;
  let settings: Settings;
  try {
    settings = resolveSettings(sources);
    if (args.switches.has("print-permissions")) {
      const [cache = null] = cacheFolders();
      const library = chosenLibrary(), deno = Deno.execPath();
      const paths = { root: SOURCES, library, deno, cache, hubHosts: HUB_HOSTS };
      printLine(servePermissions(settings, sources, paths).join(" "));
      return 0;
    }
    options = serveOptions(settings, sources);
    models = modelsOf(settings);
    ({ exitWithParent } = settings);
    recorder = openRecorder(settings);
    receipts = await receiptOptions(settings);
    audit = openAudit(settings);
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
  const documents = await documentAnswer();
  using offers = new DisposableStack();
  const onListen = (url: string) => {
    announce(url, { isLoading: !models.isShared, hasGate: options.gate !== false });
    const opener = options.page === false ? null : pageOpener((name) => Deno.env.get(name));
    if (opener !== null) offers.use(offerToOpen(() => openWith(opener, url)));
  };
  await using _recorder = recorder;
  await using _audit = audit;
  const all = {
    ...options,
    observer: recorder,
    receipts: { ...receipts, audit: audit && ((line: string) => audit.push(line)) },
    prefixHashKey: recorder?.prefixHashKey,
    documents,
    onStuck: exitStuck,
    onWait: noteWait,
    onListen,
  };
  if (configFile(sources) === undefined && settings.apiKeys === undefined) {
    return await runUntilSignal(() => start(all, models), { exitWithParent });
  }
  const reloader = new Reloader(sources, settings);
  let server: RunningServer | undefined;
  const onReload = () => sayReloaded(() => reloader.reload((changes) => server!.update(changes)));
  return await runUntilSignal(() => server = start({ ...all, onReload }, models), {
    exitWithParent,
    onHangup: () => {
      try {
        onReload();
      } catch {
        // It was told.
      }
    },
  });
}

/** Tells what became of reading settings again, whoever wanted it. */
function sayReloaded(reload: () => Reloaded): Reloaded {
  try {
    const reloaded = reload();
    const { keys, changed, waiting } = reloaded;
    printNote(
      `kumi: read again: ${counted(keys, "API key")}` +
        (changed.length === 0 ? "" : `; changed: ${changed.join(", ")}`),
    );
    if (waiting.length > 0) printNote(`kumi: only a new start changes ${waiting.join(", ")}`);
    return reloaded;
  } catch (error) {
    printNote(`kumi: nothing has changed: ${oneLine((error as Error).message)}`);
    throw error;
  }
}

/** Starts a server of one model, or of several. Throws a UsageError for models that cannot be. */
function start(options: Omit<ServeOptions, "model" | "aliases">, { isShared: _, ...models }: ServedModels) {
  if (!("model" in models) && models.modelsDir !== undefined) checkFolder(models.modelsDir);
  try {
    if ("model" in models) return startServer({ ...options, ...models });
    const onNote = (note: string) => printNote(`kumi: ${oneLine(note)}`);
    return serveModels({ ...options, ...models, onNote } as ServeModelsOptions);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

/** Throws a UsageError for a folder that cannot be read. */
function checkFolder(path: string): void {
  try {
    Deno.readDirSync(path);
  } catch (error) {
    throw new UsageError(`--models-dir: ${path} cannot be read: ${fileReason(error)}`);
  }
}

/** What keeps the traffic, where that is wanted. Throws a ConfigError where it cannot. */
function openRecorder({ record, recordMegabytes }: Settings): TrafficRecorder | undefined {
  if (record === undefined) return undefined;
  const onProblem = (problem: string) => printNote(`kumi: ${problem}`);
  try {
    const file = new LineFile(record, { bytesMax: recordMegabytes * MEGABYTE, onProblem });
    return new TrafficRecorder(file, limits.kvBlockTokens);
  } catch (error) {
    throw new ConfigError(`cannot record the traffic: ${(error as Error).message}`);
  }
}

/** Throws a ConfigError where there is no key in the file. */
async function receiptOptions({ receiptKey, auditText }: Settings): Promise<ReceiptOptions> {
  if (receiptKey === undefined) return { auditText };
  try {
    return { key: await readReceiptKey(await Deno.readTextFile(receiptKey)), auditText };
  } catch (error) {
    throw new ConfigError(`cannot read the key ${receiptKey}: ${(error as Error).message}`);
  }
}

/** The file that receipts are kept in, where that is wanted. Throws a ConfigError where it cannot be. */
function openAudit({ audit, auditMegabytes }: Settings): LineFile | undefined {
  if (audit === undefined) return undefined;
  try {
    Deno.mkdirSync(audit, { recursive: true });
    return new LineFile(join(audit, "receipts.jsonl"), {
      bytesMax: auditMegabytes * MEGABYTE,
      nameOfFull: () => join(audit, `receipts-${new Date().toISOString().replaceAll(":", "-")}.jsonl`),
      onProblem: (problem) => printNote(`kumi: receipts are lost: ${problem}`),
    });
  } catch (error) {
    throw new ConfigError(`cannot keep receipts in ${audit}: ${(error as Error).message}`);
  }
}

/**
 * None where JSR cannot be reached and nobody chose the stand-ins: documents are sent all the same, only more
 * plainly.
 */
async function documentAnswer(): Promise<DocumentAnswer | undefined> {
  try {
    return (await import("../documents.ts")).negotiatedDocuments();
  } catch {
    return undefined;
  }
}

function announce(url: string, { isLoading, hasGate }: { isLoading: boolean; hasGate: boolean }): void {
  const loading = isLoading ? ", loading the model" : "";
  printNote(`kumi: listening on ${url}${loading}; ${url}/docs describes the interface`);
  if (hasGate) return;
  printNote("kumi: without the gate, a request without stream is computed to its end when its client leaves");
}

/** A thread in native code cannot be stopped: whoever started the server has to start it again. */
function exitStuck(reason: string): never {
  printNote(`kumi: the engine is stuck: ${oneLine(reason)}`);
  Deno.exit(STUCK_EXIT_CODE);
}
