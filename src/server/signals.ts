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
  /**
   * What SIGHUP asks for, such as reading files again; default: it ends the program, as it does others. Not on Windows. A terminal that
   * goes away sends the same signal: then the server ends.
   */
  readonly onHangup?: (server: KumiServer | KumiModelsServer) => void;
}

/**
 * Runs a server until SIGTERM or SIGINT, lets what is under way end, and resolves to the exit status: 0, or 1
 * where the model cannot be loaded. A second signal ends the program at once; what comes within a second of
 * the first is the first again, passed on by the processes that started this one.
 */
export async function runUntilSignal(
  start: () => KumiServer | KumiModelsServer,
  { exitWithParent = false, onHangup }: RunUntilSignalOptions = {},
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
  const hasTerminal = Deno.stdin.isTerminal();
  const onHangupSignal = () => {
    if (hasTerminal && !Deno.stdin.isTerminal()) onSignal();
    else if (!isEnding) onHangup?.(server);
  };
  const listeners = new Map(SIGNALS.map((name) => [name, onSignal]));
  if (onHangup !== undefined && Deno.build.os !== "windows") listeners.set("SIGHUP", onHangupSignal);
  using _watch = exitWithParent ? new ParentWatch(onGone) : null;
  for (const [name, listener] of listeners) Deno.addSignalListener(name, listener);
  try {
    const model = await server.ready;
    if (model === undefined) printNote("kumi: ready: models are loaded when they are asked for");
    else sayReady(model.info);
  } catch (error) {
    if (isEnding) return await server.finished.then(() => 0);
    throw error;
  } finally {
    await server.finished;
    for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
  }
  return 0;
}

function sayReady({ notes, name, architecture, contextLength }: ModelInfo): void {
  for (const note of notes) printNote(`kumi: ${note}`);
  const what = oneLine(name ?? architecture, NAME_CHARACTERS_MAX);
  printNote(`kumi: ready: ${what}, context of ${contextLength} tokens`);
}
