/** The folder of a trial: its journal, its report, its configuration. @module */

import { ConfigError, resolveSettings } from "../../server/config/resolve.ts";
import { fileStore, Journal, JournalError } from "../../trial/journal.ts";
import { UsageError } from "../command.ts";
import { fileProblem } from "../named_file.ts";

/** Names of the files. */
export const FILES = {
  journal: "journal.jsonl",
  report: "report.json",
  page: "report.html",
  config: "kumi.config.json",
  /** Of the server that is being measured; gone at the end. */
  server: "server.config.json",
} as const;

/**
 * Makes the folder and opens its journal. Throws a UsageError where there is the journal of another trial, unless
 * `fresh` has it thrown away.
 */
export async function openFolder(out: string, identity: string, fresh: boolean): Promise<Journal> {
  await Deno.mkdir(out, { recursive: true }).catch((error) => {
    throw fileProblem(out, error, { option: "out", verb: "written" });
  });
  const path = `${out}/${FILES.journal}`;
  if (fresh) {
    await Deno.remove(path).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
  try {
    return new Journal(fileStore(path), identity, {
      clock: () => performance.now(),
      now: () => new Date().toISOString(),
    });
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    throw new UsageError(`cannot go on with ${path}: ${error.message}; choose another --out, or --fresh`);
  }
}

/** Writes a file so that it is there in whole or not at all. */
export async function writeWhole(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(`${path}.part`, text);
  await Deno.rename(`${path}.part`, path);
}

/** The text of a configuration file, which `kumi serve` has checked. Throws an Error where it would refuse it. */
export function checkedConfig(config: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(config, null, 2);
  try {
    resolveSettings({
      values: new Map([["config", FILES.config]]),
      switches: new Set(),
      env: () => undefined,
      readFile: () => text,
    });
  } catch (error) {
    if (error instanceof ConfigError) throw new Error(`kumi serve would refuse ${error.message}`);
    throw error;
  }
  return `${text}\n`;
}
