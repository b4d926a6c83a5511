/** What `kumi stop` does. @module */

import { oneLine } from "../../process/harmless.ts";
import { printNote } from "../../process/print.ts";
import type { Arguments } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { askServer } from "../ask_server.ts";

/** What `/v1/models` says of a model. */
interface Told {
  readonly id?: unknown;
  readonly kumi?: { readonly state?: string; readonly aliases?: readonly string[] };
}

export async function runStop(args: Arguments): Promise<number> {
  using interrupt = interruptible();
  const { signal } = interrupt;
  const [model] = args.positional;
  const listed = await askServer(args, "/v1/models", { signal }) as { data?: unknown };
  if (isGone(listed?.data, model)) {
    printNote(`kumi: ${oneLine(model)} is not in memory`);
    return 0;
  }
  const body = { model, keep_alive: 0, stream: false };
  const reply = await askServer(args, "/api/generate", { body, signal });
  const { done_reason: reason } = (reply ?? {}) as { done_reason?: unknown };
  if (reason !== "unload") {
    throw new Error(
      "this server keeps its model for as long as it runs: it was started with one, and without --keep-alive",
    );
  }
  printNote(`kumi: ${oneLine(model)} leaves memory as soon as nothing uses it`);
  return 0;
}

/** Whether a server of several models says that one is not in memory, nor on its way there. */
function isGone(models: unknown, model: string): boolean {
  if (!Array.isArray(models)) return false;
  const told = (models as Told[]).find(({ id, kumi }) => id === model || kumi?.aliases?.includes(model));
  return told?.kumi?.state === "unloaded" || told?.kumi?.state === "failed";
}
