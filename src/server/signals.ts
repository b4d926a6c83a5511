/** A server as the whole of a program: it ends with a signal. @module */

import type { KumiServer } from "./serve.ts";
import { oneLine } from "../terminal/harmless.ts";
import { printNote } from "../terminal/print.ts";

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
const INTERRUPTED = 130;
/** A file may call its model anything. */
const NAME_CHARACTERS_MAX = 120;

/**
 * Runs a server until SIGTERM or SIGINT, lets what is under way end, and resolves to the exit status: 0, or 1 where the model
 * cannot be loaded. A second signal ends the program at once.
 */
export async function runUntilSignal(start: () => KumiServer): Promise<number> {
  const server = start();
  let isEnding = false;
  const onSignal = () => {
    if (isEnding) Deno.exit(INTERRUPTED);
    isEnding = true;
    printNote("kumi: shutting down; once more to stop at once");
    void server.shutdown();
  };
  for (const name of SIGNALS) Deno.addSignalListener(name, onSignal);
  try {
    const { info } = await server.ready;
    for (const note of info.notes) printNote(`kumi: ${note}`);
    printNote(
      `kumi: ready: ${
        oneLine(info.name ?? info.architecture, NAME_CHARACTERS_MAX)
      }, context of ${info.contextLength} tokens`,
    );
  } catch (error) {
    if (isEnding) return await server.finished.then(() => 0);
    throw error;
  } finally {
    await server.finished;
    for (const name of SIGNALS) Deno.removeSignalListener(name, onSignal);
  }
  return 0;
}
