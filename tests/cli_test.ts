/**
 * The command line, run as a user runs it: in a process of its own, with the permissions that the tasks give
 * it.
 */

import { sampleReport } from "./support/trial_report.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { scalarEntry } from "../src/gguf/mod.ts";
import { kumi } from "./support/kumi.ts";
import { TemporaryFolder } from "./support/models.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);
const DEMO_F16 = `${ROOT}examples/demo-model/kumi-demo-f16.gguf`;

Deno.test("kumi without a command lists the commands", async () => {
  const { code, stdout, stderr } = await kumi([]);
  assertEquals(code, 2);
  for (
    const name of [
      "chat",
      "run",
      "inspect",
      "tokenize",
      "quantize",
      "bench",
      "perplexity",
      "compare",
      "imatrix",
      "loadtest",
      "traffic",
      "report",
    ]
  ) {
    assertStringIncludes(stdout + stderr, name);
  }
});

Deno.test("kumi refuses unknown commands, options and values with status 2", async () => {
  for (
    const [args, message] of [
      [["frobnicate"], 'unknown command "frobnicate"'],
      [["run", "hi", "--frobnicate"], "unknown option --frobnicate"],
      [
        ["run", "hi", "--temperature", "hot"],
        "--temperature takes a number from 0 to 10, current value is hot",
      ],
    ] as const
  ) {
    const { code, stdout, stderr } = await kumi([...args]);
    assertEquals(code, 2, stderr);
    assertEquals(stdout, "");
    assertStringIncludes(stderr, message);
  }
});

Deno.test("kumi --version says the version of deno.json", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  for (const word of ["--version", "version"]) {
    assertEquals(await kumi([word]), { code: 0, stdout: `kumi ${version}\n`, stderr: "" });
  }
});

Deno.test("kumi names a file that is not there or is no model", async () => {
  const missing = await kumi(["run", "hi", "--model", "/nowhere/model.gguf"]);
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.stderr, "/nowhere/model.gguf");
  const wrong = await kumi(["inspect", `${ROOT}LICENSE`]);
  assertEquals(wrong.code, 1);
  assertStringIncludes(wrong.stderr, "LICENSE");
});

Deno.test("what a model file is called cannot steer the terminal", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const bytes = await Deno.readFile(DEMO_F16);
    const from = "kumi demo", to = "\x1b]0;ab\x07\nc";
    const at = new TextDecoder("latin1").decode(bytes).indexOf(from);
    bytes.set(new TextEncoder().encode(to), at);
    const file = `${folder}/\x1b[2J.gguf`;
    await Deno.writeFile(file, bytes);
    const runs = await Promise.all([
      kumi(["chat", "--model", file, "--max-tokens", "4"], "hi\n/\x1b[2J\n"),
      kumi(["inspect", file]),
      kumi(["inspect", `${file}x`]),
      kumi(["\x1b[2J"]),
    ]);
    for (const { stdout, stderr } of runs) {
      // deno-lint-ignore no-control-regex
      assertEquals(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.exec(stdout + stderr), null, stdout + stderr);
    }
    assertStringIncludes(runs[0].stdout, "kumi · \\u001b]0;ab\\u0007\\nc, 3.21 M");
    assertStringIncludes(runs[1].stdout, '"\\u001b]0;ab\\u0007\\nc"');
    assertStringIncludes(runs[2].stderr, "\\u001b[2J.ggufx");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("kumi run prints only the answer, the same for the same seed", async () => {
  const args = ["run", "What is 2 + 3?", "--seed", "7", "--max-tokens", "24"];
  const [first, second] = [await kumi(args), await kumi(args)];
  assertEquals(first.code, 0, first.stderr);
  assertEquals(first.stdout, second.stdout);
  assertEquals(first.stderr, "");
  assert(first.stdout.length > 0);
});

Deno.test("kumi run takes the prompt from stdin and --raw continues it", async () => {
  const { code, stdout, stderr } = await kumi(
    ["run", "--raw", "--temperature", "0", "--max-tokens", "16", "--json"],
    "Once upon a time",
  );
  assertEquals(code, 0, stderr);
  const result = JSON.parse(stdout);
  assertEquals(result.usage.completionTokens, 16);
  assertEquals(result.finishReason, "length");
});

Deno.test("kumi run takes an empty text for a prompt, but not the lack of one", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const bytes = await Deno.readFile(DEMO_F16);
    const key = "tokenizer.ggml.add_bos_token";
    const at = new TextDecoder("latin1").decode(bytes).indexOf(key) + key.length + 4;
    assertEquals(bytes[at], 0);
    bytes[at] = 1;
    const withBos = `${folder}/bos.gguf`;
    await Deno.writeFile(withBos, bytes);
    const options = ["--temperature", "0", "--max-tokens", "4", "--json"];
    const [continued, answered, impossible, none, told] = await Promise.all([
      kumi(["run", "--raw", "", "--model", withBos, ...options]),
      kumi(["run", "", ...options]),
      kumi(["run", "--raw", "", ...options]),
      kumi(["run", "--raw", ...options]),
      kumi(["run", "", "--temperature", "0", "--max-tokens", "4"]),
    ]);
    assertEquals(continued.code, 0, continued.stderr);
    assertEquals(JSON.parse(continued.stdout).usage.promptTokens, 1);
    assertEquals(answered.code, 0, answered.stderr);
    assert(JSON.parse(answered.stdout).usage.promptTokens > 1);
    assertEquals([impossible.code, none.code], [1, 2]);
    assertStringIncludes(impossible.stderr, "The prompt is empty and the model has no token to begin with");
    assertStringIncludes(none.stderr, "no prompt");
    assertEquals(told.stderr.includes("ended its answer before its first word"), told.stdout === "");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("kumi chat answers each line of a pipe and says that the demo is a toy", async () => {
  const { code, stdout, stderr } = await kumi(
    ["chat", "--temperature", "0", "--max-tokens", "60", "--stats"],
    "hello\n/help\n/temperature 3000\nWhat is 4 + 5?\n/exit\n",
  );
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "toy");
  assertStringIncludes(stdout, "--model");
  assertStringIncludes(stdout, "/reset");
  assertStringIncludes(stdout, "/temperature takes a number from 0 to 10");
  assertEquals(stdout.match(/tokens\/s/g)?.length ?? 0, 4, stdout);
});

Deno.test("kumi inspect tells sizes, and by its status whether a load fits", async () => {
  const text = await kumi(["inspect", "--tensors"]);
  assertEquals(text.code, 0, text.stderr);
  assertStringIncludes(text.stdout, "blk.0.attn_q.weight");
  assertMatch(
    text.stdout.trim().split("\n").at(-1)!,
    /^this build can run it, and it fits this machine \(up to \d+ users/,
  );
  const json = await kumi(["inspect", "--json", "--users", "3", "--context", "100"]);
  const report = JSON.parse(json.stdout);
  assertEquals(report.architecture, "llama");
  // Whole blocks of 16 tokens.
  assertEquals(report.memory.kvBytes, 304 * report.kvCache.bytesPerToken);
  const tooMuch = await kumi(["inspect", "--users", "1000000", "--context", "512"]);
  assertEquals(tooMuch.code, 1);
  assertStringIncludes(tooMuch.stdout, "does not fit");
  const tooLong = await kumi(["inspect", "--context", "100000"]);
  assertEquals(tooLong.code, 1);
  assertStringIncludes(tooLong.stdout, "but not with 100000 tokens: the model's context is 512");
});

Deno.test("kumi tokenize gives ids and pieces; control tokens only when asked", async () => {
  const plain = await kumi(["tokenize", "--json", "a<|im_end|>"]);
  const special = await kumi(["tokenize", "--json", "--special", "a<|im_end|>"]);
  assertEquals(JSON.parse(special.stdout).length, 2);
  assert(JSON.parse(plain.stdout).length > 2);
  const pieces = await kumi(["tokenize", "--pieces", "--json"], "Hi there");
  const texts = JSON.parse(pieces.stdout).map(({ text }: { text: string }) => text);
  assertEquals(texts.join(""), "Hi there");
});

Deno.test("kumi imatrix, quantize with it, and compare work on a real file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [text, importance, output, plot] = ["text.txt", "im.gguf", "q2_k.gguf", "plot.svg"].map((name) =>
      `${folder}/${name}`
    );
    await Deno.writeTextFile(text, "Once upon a time there was a fox who had a lamp. ".repeat(20));
    const measured = await kumi(["imatrix", DEMO_F16, text, "-o", importance, "-c", "64", "--chunks", "2"]);
    assertEquals(measured.code, 0, measured.stderr);
    assertStringIncludes(measured.stdout, "over 2 windows of 64 tokens");
    const again = await kumi(["imatrix", DEMO_F16, text, "-o", importance]);
    assertEquals(again.code, 2);
    assertStringIncludes(again.stderr, "--force");
    const made = await kumi(["quantize", DEMO_F16, output, "q2_k", "--pure", "--imatrix", importance]);
    assertEquals(made.code, 0, made.stderr);
    const args = ["compare", DEMO_F16, output, text, "-c", "64", "--tokens", "128"];
    const compared = await kumi([...args, "--plot", plot, "--json"]);
    assertEquals(compared.code, 0, compared.stderr);
    const { tokens, windows, divergence, tensors, unmatched } = JSON.parse(compared.stdout);
    assertEquals([tokens, windows, unmatched], [2 * 31, 2, []]);
    assert(divergence.value > 0 && tensors[0].relativeError > 0.1);
    assertStringIncludes(await Deno.readTextFile(plot), "KL divergence by token");
    const printed = await kumi(args);
    assertEquals(printed.code, 0, printed.stderr);
    assertMatch(printed.stdout, /KL divergence, mean +\d/);
    const wrong = await kumi(["quantize", DEMO_F16, `${folder}/x.gguf`, "q4_0", "--imatrix", DEMO_F16]);
    assertEquals(wrong.code, 1);
    assertStringIncludes(wrong.stderr, "not an importance matrix");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("kumi quantize, perplexity and bench work on a real file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const output = `${folder}/q4_k.gguf`;
    const made = await kumi(["quantize", DEMO_F16, output, "q4_k"]);
    assertEquals(made.code, 0, made.stderr);
    assertMatch(made.stdout, /relative rms error \d/);
    const again = await kumi(["quantize", DEMO_F16, output, "q4_k"]);
    assertEquals(again.code, 2);
    assertStringIncludes(again.stderr, "--force");
    const planned = await kumi(["quantize", DEMO_F16, `${folder}/no.gguf`, "Q4_K_M", "--dry-run", "--json"]);
    assertEquals(planned.code, 0, planned.stderr);
    const plan = JSON.parse(planned.stdout);
    assertEquals(plan.format, "q4_k_m");
    assert(plan.bytesOut < plan.bytesIn);
    assertEquals(plan.tensors[0].from, "F16");
    await assertRejects(() => Deno.stat(`${folder}/no.gguf`), Deno.errors.NotFound);

    await Deno.writeTextFile(
      `${folder}/text.txt`,
      "Once upon a time there was a fox who had a lamp. ".repeat(20),
    );
    const perplexity = await kumi(["perplexity", output, `${folder}/text.txt`, "--context", "64", "--json"]);
    assertEquals(perplexity.code, 0, perplexity.stderr);
    assert(JSON.parse(perplexity.stdout).perplexity > 1);

    const bench = await kumi([
      ...["bench", "--model", output, "--pp", "32", "--tg", "4", "--batch", "1,2"],
      ...["--repeat", "1", "--json"],
    ]);
    assertEquals(bench.code, 0, bench.stderr);
    const lines = bench.stdout.trim().split("\n").map((line) => JSON.parse(line));
    assertEquals(lines.map(({ test, batch }) => `${test} ${batch}`), ["prefill 1", "decode 1", "decode 2"]);
    for (const line of lines) {
      for (const field of ["tokens", "depth", "tokensPerSecond", "fractionOfLimit"]) {
        assertEquals(typeof line[field], "number", field);
      }
      const { readGBps, readGBpsByThreads, gmacps: { int8, bf16, float } } = line.limits;
      assert("1" in readGBpsByThreads && readGBpsByThreads[line.threads] <= readGBps);
      assert([readGBps, int8, bf16, float].every((limit) => limit > 0));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("KUMI_ISA forces a level that the machine has", async () => {
  const args = ["run", "hi", "--temperature", "0", "--max-tokens", "8", "--threads", "1"];
  const [best, baseline] = [await kumi(args), await kumi(args, "", { KUMI_ISA: "baseline" })];
  if (Deno.build.arch === "x86_64") assertEquals(best.stdout, baseline.stdout);
});

Deno.test("inspect --cpu tells each level, which one is used and why", async () => {
  const found = await kumi(["inspect", "--cpu", "--json"]);
  assertEquals(found.code, 0, found.stderr);
  const { levels, chosen, features, cpus } = JSON.parse(found.stdout);
  const best = levels.find((level: { supported: boolean }) => level.supported).name;
  assertEquals(chosen, { level: best, why: "best supported" });
  for (const { name, supported, missing, unsaved } of levels) {
    assertEquals(supported, missing.length + unsaved.length === 0, name);
    for (const feature of missing) assert(!features.includes(feature), feature);
  }
  if (Deno.build.os === "linux") assert(cpus.length >= 1);
  const least = levels.at(-1).name;
  const { stdout } = await kumi(["inspect", "--cpu"], "", { KUMI_ISA: least });
  assertMatch(stdout, /^memory nodes +\d+: node \d+ with CPUs [\d,-]+/m);
  const withFile = await kumi(["inspect", "--cpu", "demo"]);
  assertEquals(withFile.code, 2);
  assertStringIncludes(withFile.stderr, "leave demo or --cpu out");
  assertStringIncludes(stdout, `The kernels use ${least}: forced by KUMI_ISA.`);
  for (const { name } of levels) assertStringIncludes(stdout, name);
});

Deno.test("an impossible KUMI_ISA ends with a sentence that names it, what is missing and what is possible", async () => {
  const { levels } = JSON.parse((await kumi(["inspect", "--cpu", "--json"])).stdout);
  const wrong = [
    ["x86_64_v9", "there is no such level"],
    Deno.build.arch === "x86_64" ? ["neon", "it is for aarch64"] : ["x86_64_v3", "it is for x86_64"],
  ];
  for (const { name, supported, missing, unsaved } of levels) {
    if (!supported) wrong.push([name, [...missing, ...unsaved][0]]);
  }
  const possible = levels.filter((level: { supported: boolean }) => level.supported)
    .map((level: { name: string }) => level.name).join(", ");
  for (const [name, reason] of wrong) {
    for (const command of [["run", "hi"], ["inspect", "--cpu"]]) {
      const { code, stderr } = await kumi(command, "", { KUMI_ISA: name });
      assertEquals(code, 1, stderr);
      for (const part of [name, reason, `possible here: ${possible}`]) assertStringIncludes(stderr, part);
      assertEquals(stderr.trim().split("\n").length, 1, stderr);
    }
  }
});

Deno.test("kumi says on stderr what of a file was not read, and names the file that it cannot run", async () => {
  using folder = new TemporaryFolder();
  const odd = await folder.randomModel("llama-tiny", "q8_0", 1, [scalarEntry("u32", "llama.mood", 1)]);
  const ran = await kumi(["run", "--raw", "hi", "--max-tokens", "1", "--model", odd]);
  assertEquals(ran.code, 0, ran.stderr);
  assertEquals(
    ran.stderr.trim(),
    'kumi: the file has keys that are not known here and were not read: "llama.mood"',
  );
  const other = await folder.randomModel("llama-tiny", "q8_0", 1, [
    scalarEntry("f32", "llama.final_logit_softcapping", 30),
  ]);
  const reason = "llama.final_logit_softcapping is 30, which asks for soft-capped logits: not supported";
  const refused = await kumi(["run", "hi", "--model", other]);
  assertEquals([refused.code, refused.stderr.trim()], [1, `kumi: ${other}: ${reason}`]);
  const shown = await kumi(["inspect", other]);
  assertEquals([shown.code, shown.stdout.trim().split("\n").at(-1)], [
    0,
    `this build cannot run it: ${reason}`,
  ]);
});

Deno.test("kumi traffic imports what others have recorded, and describes it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const csv = `${folder}/log.csv`, recording = `${folder}/traffic.jsonl`, svg = `${folder}/traffic.svg`;
    await Deno.writeTextFile(
      csv,
      "time,input,output\n2026-01-01 00:00:00,100,5\nsoon,1,1\n2026-01-01 00:00:09,50,7\n",
    );
    const imported = await kumi(["traffic", "import", csv, "-o", recording]);
    assertEquals([imported.code, imported.stdout], [0, ""], imported.stderr);
    assertStringIncludes(imported.stderr, "left out line 3: no time");
    assertStringIncludes(imported.stderr, "2 requests of CSV written to");
    const again = await kumi(["traffic", "import", csv, "-o", recording]);
    assertEquals(again.code, 2);
    assertStringIncludes(again.stderr, "--force");
    const described = await kumi(["traffic", "describe", recording, "--svg", svg]);
    assertEquals([described.code, described.stderr], [0, ""]);
    assertStringIncludes(described.stdout, "2 requests in 9 s, from 2026-01-01 00:00:00 UTC");
    assertStringIncludes(await Deno.readTextFile(svg), "<svg");
    const wrong = await kumi(["traffic", "describe", `${ROOT}LICENSE`]);
    assertEquals(wrong.code, 1);
    assertStringIncludes(wrong.stderr, "which no format does");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("kumi report writes a page beside the report, in both languages and with other prices", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/report.json`, page = `${folder}/report.html`;
    await Deno.writeTextFile(file, JSON.stringify(sampleReport()));
    assertEquals(await kumi(["report", file]), { code: 0, stdout: `${page}\n`, stderr: "" });
    assertStringIncludes(await Deno.readTextFile(page), "no prices were given");
    const again = await kumi(["report", file]);
    assertEquals([again.code, again.stderr.includes("--force")], [2, true], again.stderr);
    const prices = `${ROOT}examples/prices/example.json`;
    const priced = await kumi(["report", file, "--lang", "ja", "--prices", prices, "--force"]);
    assertEquals(priced.code, 0, priced.stderr);
    const text = await Deno.readTextFile(page);
    assertStringIncludes(text, '<html lang="ja">');
    assertStringIncludes(text, "$1,265");
    for (
      const [args, message] of [
        [[`${ROOT}deno.json`, "-o", page, "-f"], "deno.json: is no report of a trial"],
        [[file, "--prices", file, "-f"], "report.json: the prices cannot be used"],
        [[file, "--lang", "fr"], "--lang takes en, ja, current value is fr"],
        [[file, "-o", file], "the page would replace the report itself"],
      ] as const
    ) {
      const { code, stderr } = await kumi(["report", ...args]);
      assertEquals(code, 2, stderr);
      assertStringIncludes(stderr, message);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
