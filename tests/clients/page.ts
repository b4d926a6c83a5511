/** docs/clients.md: its examples are run, and the table in it is written. @module */

import { ROOT } from "../../src/setup/paths.ts";
import { type ClientResult, markdownTable } from "./results.ts";

const PAGE = `${ROOT}/docs/clients.md`;
const BEGIN = "<!-- written by tests/clients/main.ts --write -->";
const END = "<!-- end -->";

/** What stands in the page's examples for a user's own server. */
export interface Place {
  readonly url: string;
  readonly key: string;
  readonly model: string;
  readonly tokenizer: string;
  readonly tasks: string;
  readonly prompts: string;
}

/** An example of the page. */
export interface Example {
  readonly language: "python" | "sh";
  readonly code: string;
}

/** The example under the heading of a package, for a server elsewhere. Undefined where the page has none. */
export async function exampleOf(name: string, place: Place): Promise<Example | undefined> {
  const page = await Deno.readTextFile(PAGE);
  const section = page.split(/^## /m).find((text) => text.startsWith(`${name}\n`));
  const found = /```(python|sh)\n(.*?)```/s.exec(section ?? "");
  if (found === null) return undefined;
  const code = found[2].replaceAll("http://127.0.0.1:8080", place.url)
    .replaceAll("your-key", place.key)
    .replaceAll("your-model", place.model)
    .replaceAll("/path/to/tokenizer", place.tokenizer)
    .replaceAll("prompts.jsonl", place.prompts)
    // Its own tasks come from the hub.
    .replaceAll("--tasks hellaswag", `--include_path ${place.tasks} --tasks sums_choice`);
  return { language: found[1] as Example["language"], code };
}

/** Puts the table between the two marks of a page. */
export async function writeTable(path: string, results: readonly ClientResult[]): Promise<void> {
  const page = await Deno.readTextFile(path);
  const [start, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`${path} has no place for the table`);
  const table = `${BEGIN}\n\n${markdownTable(results)}\n\n`;
  await Deno.writeTextFile(path, page.slice(0, start) + table + page.slice(end));
}
