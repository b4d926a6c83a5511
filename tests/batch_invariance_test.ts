/**
 * One answer everywhere, from the outside: `deno task run tests/batch_invariance_test.ts 2000` is the long
 * run.
 */
import { assert, assertEquals } from "@std/assert";
import { renderTable } from "../src/cli/table.ts";
import { measureInvariance } from "./support/invariance.ts";

Deno.test("a request has one answer, whatever runs beside it and however it is computed", async () => {
  const reports = await measureInvariance(100, 7);
  for (const { name, different } of reports) assertEquals(different, [], name);
  const of = (part: string) => reports.find(({ name }) => name.includes(part))!;
  assert(of("2 threads").cachedTokens > 0, "no prompt was found in the cache");
  assertEquals(of("without prefix cache").cachedTokens, 0);
  assert(of("with classes").preemptions > 0, "nobody lost its place in the KV cache");
  for (const { name, recomputed } of reports) {
    assert(recomputed <= 0.3, `${name}: ${recomputed} of the tokens were computed again`);
  }
});

if (import.meta.main && Deno.args.length > 0) {
  const reports = await measureInvariance(Number(Deno.args[0]), Number(Deno.args[1] ?? 1), console.error);
  console.log(renderTable(
    ["manner", "different", "tokens", "from cache", "preempted", "computed again", "s"],
    reports.map((report) => [
      report.name,
      `${report.different.length}`,
      `${report.tokens}`,
      `${report.cachedTokens}`,
      `${report.preemptions}`,
      `${(100 * report.recomputed).toFixed(1)} %`,
      report.seconds.toFixed(1),
    ]),
  ));
  Deno.exit(reports.every(({ different }) => different.length === 0) ? 0 : 1);
}
