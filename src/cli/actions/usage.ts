/** What `kumi usage` does. @module */

import { printLine } from "../../process/print.ts";
import type { Arguments } from "../command.ts";
import { interruptible } from "../interrupt.ts";
import { askServerText } from "../ask_server.ts";

export async function runUsage(args: Arguments): Promise<number> {
  using interrupt = interruptible();
  const csv = await askServerText(args, "/v1/usage", { signal: interrupt.signal });
  for (const line of csv.trimEnd().split("\r\n")) printLine(line);
  return 0;
}
