/** The page about models and machines has what `inspect`'s formulas give. */

import { assert, assertEquals } from "@std/assert";
import { WHICH_MODEL_PAGE, whichModelTables, withTables } from "../bench/which_model.ts";
import { ROOT } from "../src/setup/paths.ts";

const cellsOf = (text: string) =>
  text.split("\n").filter((line) => line.startsWith("|") && !/^\| *-/.test(line))
    .map((line) => line.split("|").map((cell) => cell.trim()));

Deno.test("the tables of models and machines are those of inspect's formulas", async () => {
  const page = await Deno.readTextFile(`${ROOT}/${WHICH_MODEL_PAGE}`);
  const tables = whichModelTables();
  assertEquals(
    cellsOf(page),
    cellsOf(withTables(page, tables)),
    "deno task run bench/which_model.ts --write",
  );
  const rows = cellsOf(tables);
  const [qwen, llama] = ["Qwen 3 30B-A3B", "Code Llama 7B"].map((name) =>
    rows.filter((row) => row[1] === name)[1]
  );
  // More parameters in all, and a token is done sooner.
  assert(Number(qwen[4]) > Number(llama[4]), `${qwen} ${llama}`);
});
