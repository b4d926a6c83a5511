/** A server as the whole of a program: it ends with a signal. @module */

import { ParentWatch } from "../process/parent_watch.ts";
import { SignalCount } from "../process/signal_count.ts";
import type { ModelInfo } from "../protocol/model_info.ts";
import { oneLine } from "../process/harmless.ts";
import { printNote } from "../process/print.ts";
import type { KumiServer } from "./serve.ts";
import type { KumiModelsServer } from "./serve_models.ts";

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
const INTERRUPTED = 130;
/** A file may call its model anything. */
const NAME_CHARACTERS_MAX = 120;

/** When a server ends, beside signals. */
export interface RunUntilSignalOptions {
  /**
   * Ends the server, as a signal does, once the process that started it has gone. Not on Windows. Default
   * false.
   */
  readonly exitWithParent?: boolean;
}

/**
 * Runs a server until SIGTERM or SIGINT, lets what is under way end, and resolves to the exit status: 0, or 1
 * where the model cannot be loaded. A second signal ends the program at once; what comes within a second of
 * the first is the first again, passed on by the processes that started this one.
 */
export async function runUntilSignal(
  start: () => KumiServer | KumiModelsServer,
  { exitWithParent = false }: RunUntilSignalOptions = {},
): Promise<number> {
  const signals = new SignalCount();
  let isEnding = false;
  const end = (why: string) => {
    isEnding = true;
    printNote(`kumi: ${why}`);
    void server.shutdown();
  };
  const onSignal = () => {
    if (signals.note() === null) return;
    if (isEnding) Deno.exit(INTERRUPTED);
    end("shutting down; once more to stop at once");
  };
  const onGone = () => {
    if (!isEnding) end("the process that started this one has gone, shutting down");
  };
  const server = start();
  using _watch = exitWithParent ? new ParentWatch(onGone) : null;
  for (const name of SIGNALS) Deno.addSignalListener(name, onSignal);
  try {
    const model = await server.ready;
    if (model === undefined) printNote("kumi: ready: models are loaded when they are asked for");
    else sayReady(model.info);
  } catch (error) {
    if (isEnding) return await server.finished.then(() => 0);
    throw error;
  } finally {
    await server.finished;
    for (const name of SIGNALS) Deno.removeSignalListener(name, onSignal);
  }
  return 0;
}

function sayReady({ notes, name, architecture, contextLength }: ModelInfo): void {
  for (const note of notes) printNote(`kumi: ${note}`);
  const what = oneLine(name ?? architecture, NAME_CHARACTERS_MAX);
  printNote(`kumi: ready: ${what}, context of ${contextLength} tokens`);
}
