/** What `kumi stop` does. @module */

import { oneLine } from "../../process/harmless.ts";
import { printNote } from "../../process/print.ts";
import type { Arguments } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { askServer } from "../ask_server.ts";

export async function runStop(args: Arguments): Promise<number> {
  using interrupt = interruptible();
  const [model] = args.positional;
  const body = { model, keep_alive: 0, stream: false };
  const reply = await askServer(args, "/api/generate", { body, signal: interrupt.signal });
  const { done_reason: reason } = (reply ?? {}) as { done_reason?: unknown };
  if (reason !== "unload") {
    throw new Error(
      "this server keeps its model for as long as it runs: it was started with one, and without --keep-alive",
    );
  }
  printNote(`kumi: ${oneLine(model)} leaves memory as soon as nothing uses it`);
  return 0;
}
