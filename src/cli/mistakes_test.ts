/** Mistakes on the command line are a sentence each, told before anything is built, opened or measured. */

import { assertEquals, assertRejects } from "@std/assert";
import { ACTIONS } from "./actions.ts";
import { parseCommand, UsageError } from "./command.ts";
import { COMMANDS, findCommand } from "./commands.ts";
import { ROOT } from "../setup/paths.ts";
import { sampleReport } from "../../tests/support/trial_report.ts";

/** The sentence with which `kumi <argv>` refuses to begin. */
async function refusalOf(argv: readonly string[]): Promise<string> {
  const [name, ...words] = argv;
  const command = findCommand(name)!;
  const { message } = await assertRejects(
    async () => await (await ACTIONS[command]())(parseCommand(await COMMANDS[command](), words)),
    UsageError,
    undefined,
    argv.join(" "),
  );
  return message;
}

async function assertRefused(cases: readonly (readonly [argv: readonly string[], message: string])[]) {
  for (const [argv, message] of cases) {
    const said = await refusalOf(argv);
    assertEquals(said.includes(message), true, `${argv.join(" ")}: ${said}`);
  }
}

Deno.test("a wrong value is told with its option and what it takes", async () => {
  await assertRefused([
    [["run", "hi", "--kv", "q3"], "--kv takes f16, bf16, f32, q8_0, current value is q3"],
    [
      ["run", "hi", "--temperature", "-1"],
      "--temperature takes a number from 0 to 10, current value is -1",
    ],
    [
      ["run", "hi", "--draft", "demo", "--speculation", "off"],
      "--draft and --speculation off: a draft model is never asked",
    ],
    [["perplexity", "demo", "text", "-c", "2"], "--context takes a whole number from 4 to"],
    [["bench", "--format", "q8_0"], "--format needs --shape"],
    [["bench", "--shape", "llama-tiny", "--model", "demo"], "--model and --shape each name what is measured"],
    [["bench", "--pp", "0", "--tg", "0"], "--pp 0 and --tg 0 leave nothing to measure"],
    [["bench", "--batch", "4096"], "--batch takes whole numbers from 1 to 512"],
    [["bench", "--pp", "1000000"], "--pp 1000000 is more than this model's context of 512 tokens"],
    [
      ["bench", "--tg", "16", "--pp", "0", "--depth", "600"],
      "--depth 600 and --tg 16 are more than this model's context of 512 tokens",
    ],
    [["bench", "--shape", "nope"], "--shape takes llama-tiny, "],
    [["quantize", "a", "b", "c"], "FORMAT is one of q2_k, "],
    [["run", "hi", "--cpus", "x"], '--cpus: A list of CPUs is like "0-3,8": "x" is neither'],
    [["loadtest", "http://127.0.0.1:9", "--rate", "-1"], "--rate takes a number from "],
    [
      ["bench", "--peer", "other"],
      "--peer takes llama.cpp, openvino-genai, mistralrs, current value is other",
    ],
    [
      ["bench", "--peer", "llama.cpp", "--peer-path", "."],
      "--peer and --peer-path each name what is measured",
    ],
    [["bench", "--peer", "mistralrs", "--peer-cpu", "haswell"], "--peer-cpu needs --peer llama.cpp"],
    [["quantize", "a"], "takes 3 arguments, got 1"],
  ]);
});

Deno.test("a file that cannot be read or written is told with its name, its option and why", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [report, json] = ["report", "list"].map((name) => `${folder}/${name}.json`);
    await Deno.writeTextFile(report, JSON.stringify(sampleReport()));
    await Deno.writeTextFile(json, "[]");
    const gone = "cannot be read: there is no such file or folder";
    await assertRefused([
      [["plan", "/nope"], `/nope ${gone}`],
      [["plan", folder], `${folder} cannot be read: it is a folder`],
      [["plan", report, "--bench", "/nope"], `--bench: /nope ${gone}`],
      [["plan", report, "--upstream", "/nope"], `--upstream: /nope ${gone}`],
      [["report", "/nope"], `/nope ${gone}`],
      [["report", report, "-o", "/nope/page.html"], "/nope/page.html cannot be written: there is no such"],
      [["report", report, "--prices", "/nope"], `--prices: /nope ${gone}`],
      [["verify", "/nope"], `/nope ${gone}`],
      [["verify", json], `${json}: there is no receipt in it`],
      [["verify", `${ROOT}/LICENSE`], "/LICENSE: line 1 is no JSON"],
      [["perplexity", "demo", "/nope"], `/nope ${gone}`],
      [["compare", "demo", "demo", "/nope"], `/nope ${gone}`],
      [["traffic", "describe", "/nope"], `/nope ${gone}`],
      [["trial", "--traffic", "/nope"], `--traffic: /nope ${gone}`],
      [["trial", "--eval", "/nope"], `--eval: /nope ${gone}`],
      [["trial", "--meter", "/nope"], `--meter: /nope ${gone}`],
      [["trial", "--meter", json], `${json}: The meter's first line must name a time and watts`],
      [
        ["trial", "--out", `${json}/x`],
        `--out: ${json}/x cannot be written: a part of the path is no folder`,
      ],
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
