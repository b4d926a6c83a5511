/** `kumi trial` as a process of its own: a whole trial, killed in each of its phases. */

import { assert, assertEquals } from "@std/assert";
import { LOCAL_MAP } from "../src/setup/import_map.ts";
import { ROOT } from "../src/setup/paths.ts";
import { commandPermissions } from "../src/cli/command_line.ts";
import type { TrialReport } from "../src/trial/report_data.ts";
import { checkedConfig } from "../src/cli/trial/folder.ts";

const LIMIT_MS = 240_000;

/** With the permissions that the command asks for, and no more. */
async function start(out: string, minutes: string): Promise<Deno.ChildProcess> {
  const map = Deno.env.get("KUMI_STD") === "local" ? [`--import-map=${LOCAL_MAP}`] : [];
  const argv = ["trial", "--profile", "chat", "--slo", "ttft=20s,itl=2s"];
  argv.push("--users", "50", "--budget-minutes", minutes, "--out", out);
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-lock", `--config=${ROOT}/deno.json`, ...map],
      ...await commandPermissions(argv),
      `${ROOT}/src/cli/main.ts`,
      ...argv,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Reads what it says until it says `word`, and kills it; all of it where it never does. */
async function killAt(child: Deno.ChildProcess, word: string | null): Promise<string> {
  let text = "";
  for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (word !== null && text.includes(word)) {
      child.kill("SIGKILL");
      word = null;
    }
  }
  return text;
}

const keysOf = (journal: string) =>
  journal.split("\n").filter(Boolean).map((line) => JSON.parse(line)).filter(({ key }) => key !== undefined)
    .map(({ key }) => key as string);

Deno.test("kumi trial goes on after kill -9 in each phase and chooses by what it had measured", async () => {
  const out = await Deno.makeTempDir();
  let child = await start(out, "0.2");
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  try {
    for (const phase of ["first request", "probe", "round 1", "highest load"]) {
      const [said] = await Promise.all([
        killAt(child, `left, ${phase}`),
        child.stdout.cancel(),
        child.status,
      ]);
      assert(said.includes(phase), said);
      child = await start(out, "0.2");
    }
    const [said, printed, status] = await Promise.all([
      killAt(child, null),
      new Response(child.stdout).text(),
      child.status,
    ]);
    assertEquals(status.code, 0, said);
    assert(printed.includes("report.json"), printed);

    const report: TrialReport = JSON.parse(await Deno.readTextFile(`${out}/report.json`));
    assertEquals(report.resumed, 4);
    assertEquals(report.model.architecture, "llama");
    assert(report.search.measuredPoints >= 1);
    assert(report.chosen !== null && report.chosen.measures.all.ok > 0, JSON.stringify(report.verdict));
    assertEquals(report.verdict.machines, report.chosen.highestLoad.requestsPerSecond === null ? null : 1);
    // Nothing was measured twice.
    const journal = await Deno.readTextFile(`${out}/journal.jsonl`);
    assertEquals(new Set(keysOf(journal)).size, keysOf(journal).length);
    // What the server checks is what it was told to write.
    const config = await Deno.readTextFile(`${out}/kumi.config.json`);
    assertEquals(config, checkedConfig(report.chosen.config));

    // With all of the journal there is nothing left to measure, and nothing else to choose.
    child = await start(out, "0.2");
    const [told] = await Promise.all([killAt(child, null), child.stdout.cancel(), child.status]);
    assert(told.includes("is finished, its report is written again") && !told.includes(" left, "), told);
    const again: TrialReport = JSON.parse(await Deno.readTextFile(`${out}/report.json`));
    assertEquals({ ...again, resumed: 4 }, report);
    assertEquals(keysOf(await Deno.readTextFile(`${out}/journal.jsonl`)), keysOf(journal));

    child = await start(out, "0.3");
    const [refusal, , refused] = await Promise.all([
      killAt(child, null),
      child.stdout.cancel(),
      child.status,
    ]);
    assertEquals(refused.code, 2);
    assert(refusal.includes("budget-minutes=0.2 there, budget-minutes=0.3 here"), refusal);
  } finally {
    clearTimeout(timer);
    await Deno.remove(out, { recursive: true });
  }
});
