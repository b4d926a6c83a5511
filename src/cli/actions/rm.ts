/** What `kumi rm` does. @module */

import { partPaths } from "../../gguf/split.ts";
import { cachedModels, findCached, removeCached } from "../../hub/cached_models.ts";
import { oneLine } from "../../process/harmless.ts";
import { printNote } from "../../process/print.ts";
import { type Arguments, UsageError } from "../command.ts";
import { LineReader } from "../line_reader.ts";
import { formatBytes } from "../units.ts";

/** Removes all or, where one is not there or the answer is no, none. Exit status 1 then. */
export async function runRm({ positional, switches }: Arguments): Promise<number> {
  const all = await cachedModels(partPaths);
  const models = [...new Set(positional.map((name) => findCached(all, name)))];
  const what = models.map(({ name, bytes }) => `${oneLine(name)} (${formatBytes(bytes)})`).join(", ");
  if (!switches.has("yes") && !await isSure(what)) {
    printNote("kumi: nothing was removed");
    return 1;
  }
  for (const model of models) {
    await removeCached(model);
    printNote(`kumi: removed ${oneLine(model.name)}, ${formatBytes(model.bytes)}`);
  }
  return 0;
}

async function isSure(what: string): Promise<boolean> {
  if (!Deno.stdin.isTerminal()) {
    throw new UsageError(`nobody can be asked whether to remove ${what}: say --yes`);
  }
  using reader = new LineReader(true);
  const answer = await reader.next(`Remove ${what}? [y/N] `);
  return answer.kind === "line" && /^y(es)?$/i.test(answer.text.trim());
}
