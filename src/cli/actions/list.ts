/** What `kumi list` does. @module */

import { partPaths } from "../../gguf/split.ts";
import { cachedModels } from "../../hub/cached_models.ts";
import { printLine } from "../../process/print.ts";
import type { Arguments } from "../command.ts";
import { renderTable } from "../table.ts";
import { formatBytes } from "../units.ts";

export async function runList(args: Arguments): Promise<number> {
  const models = await cachedModels(partPaths);
  if (args.switches.has("json")) {
    for (const { name, path, bytes, changedAt, isWhole } of models) {
      printLine(JSON.stringify({ name, path, bytes, changed_at: changedAt.toISOString(), whole: isWhole }));
    }
    return 0;
  }
  const rows = models.map(({ name, bytes, changedAt, isWhole }) => [
    name,
    formatBytes(bytes),
    changedAt.toISOString().slice(0, 16).replace("T", " "),
    isWhole ? "" : "not whole: pull it again",
  ]);
  printLine(renderTable(["model", "size", "changed (UTC)", ""], rows));
  return 0;
}
