/** `kumi batch`: a file of requests in a process of its own, ended in every way. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { runBatch } from "../src/cli/actions/batch.ts";
import { parseCommand, UsageError } from "../src/cli/command.ts";
import { batch } from "../src/cli/commands/batch.ts";
import { kumi, kumiCommand } from "./support/kumi.ts";
import { TemporaryFolder } from "./support/models.ts";
import { startServer } from "./support/server.ts";

interface Line {
  readonly custom_id: string | null;
  readonly response: { readonly status_code: number; readonly body: Record<string, unknown> } | null;
  readonly error: { readonly code: string; readonly line?: number } | null;
}

const requestOf = (custom_id: string, url: string, body: object) => ({
  custom_id,
  method: "POST",
  url,
  body,
});

/** Stories of so many tokens, which begin in three ways. */
const stories = (count: number, maxTokens: number) =>
  Array.from({ length: count }, (_, i) =>
    requestOf(`story-${i}`, "/v1/completions", {
      model: "demo",
      prompt: `${["Once", "There was", "A dog"][i % 3]} upon a time ${i}`,
      max_tokens: maxTokens,
      ignore_eos: true,
      temperature: 1,
      seed: i,
    }));

async function write(path: string, lines: readonly unknown[]): Promise<void> {
  const texts = lines.map((line) => typeof line === "string" ? line : JSON.stringify(line));
  await Deno.writeTextFile(path, texts.join("\n") + "\n");
}

async function read(path: string): Promise<Line[]> {
  const text = await Deno.readTextFile(path);
  assert(text === "" || text.endsWith("\n"));
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

async function untilLines(path: string, count: number): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    const text = await Deno.readTextFile(path).catch(() => "");
    if (text.split("\n").length > count) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`${path} never had ${count} lines`);
}

const texts = (lines: readonly Line[]) =>
  lines.map(({ custom_id, response }) => [custom_id, (response!.body.choices as { text: string }[])[0].text])
    .sort();

Deno.test("kumi batch answers as the server does, wrong lines among them", async () => {
  using folder = new TemporaryFolder();
  const [input, output, errors] = ["in", "out", "err"].map((name) => `${folder.path}/${name}.jsonl`);
  const messages = [{ role: "user", content: "What is 17 + 25?" }];
  const good = [
    requestOf("chat", "/v1/chat/completions", { model: "demo", messages, temperature: 0 }),
    requestOf("text", "/v1/completions", {
      prompt: "Once",
      max_tokens: 5,
      temperature: 0,
      logprobs: 2,
      n: 2,
      seed: 3,
    }),
    requestOf("vector", "/v1/embeddings", { input: ["a", "b"], encoding_format: "base64" }),
    requestOf("response", "/v1/responses", { input: "What is 17 + 25?", temperature: 0 }),
  ];
  const wrong = [
    requestOf("field", "/v1/completions", { prompt: "a", temperatur: 1 }),
    requestOf("stream", "/v1/completions", { prompt: "a", stream: true }),
    requestOf("class", "/v1/completions", { prompt: "a", class: "interactive" }),
    requestOf("model", "/v1/completions", { prompt: "a", model: "other" }),
  ];
  await write(input, [good[0], "no JSON", ...wrong, ...good.slice(1), good[0]]);
  const args = ["batch", input, output, "--errors", errors, "-t", "1"];
  const run = await kumi([...args, "--json"]);
  assertEquals(run.code, 3, run.stderr);
  assertStringIncludes(
    run.stderr,
    'line 10: "custom_id" must be another in each line, line 1 has this one, too',
  );
  const { answered, failed, requests } = JSON.parse(run.stdout);
  assertEquals([answered, failed, requests], [4, 6, 8]);

  const failures = await read(errors);
  assertEquals(
    failures.map(({ custom_id, error }) => [custom_id, error?.code, error?.line]).filter(([, code]) => code),
    [
      [null, "invalid_json", 2],
      ["chat", "duplicate_custom_id", 10],
    ],
  );
  const codes = Object.fromEntries(
    failures.filter(({ response }) => response !== null).map(({ custom_id, response }) => {
      const { error } = response!.body as { error: { code: string } };
      return [custom_id, [response!.status_code, error.code]];
    }),
  );
  assertEquals(codes, {
    field: [400, "unknown_field"],
    stream: [400, "invalid_value"],
    class: [400, "unknown_class"],
    model: [404, "model_not_found"],
  });

  await using server = await startServer();
  const answers = new Map((await read(output)).map((line) => [line.custom_id, line]));
  assertEquals(answers.size, good.length);
  // What each answer has of its own, and what depends on what was computed before.
  const plain = (value: unknown) =>
    JSON.stringify(
      value,
      (key, each) => /^(id|created|created_at|completed_at|cached_tokens|seed)$/.test(key) ? 0 : each,
    );
  for (const { custom_id, url, body } of good) {
    const response = await server.post(url, body);
    assertEquals(plain(answers.get(custom_id)!.response!.body), plain(await response.json()), custom_id);
  }

  const again = await kumi(args);
  assertEquals(again.code, 3);
  assertStringIncludes(again.stderr, "nothing was left to do, 6 errors in all");
  assertEquals([(await read(output)).length, (await read(errors)).length], [4, 6]);
});

Deno.test("kumi batch goes on after it was killed, with the answers of a run that was not", async () => {
  using folder = new TemporaryFolder();
  const [input, whole, killed] = ["in", "whole", "killed"].map((name) => `${folder.path}/${name}.jsonl`);
  await write(input, stories(40, 150));
  const args = (output: string) => ["batch", input, output, "-t", "1", "--parallel", "2"];
  assertEquals((await kumi(args(whole))).code, 0);
  for (const lines of [1, 15]) {
    const child = (await kumiCommand(args(killed))).spawn();
    await untilLines(killed, lines);
    child.kill("SIGKILL");
    await Promise.all([child.status, child.stdin.close(), child.stdout.cancel(), child.stderr.cancel()]);
    await Deno.writeTextFile(killed, '{"id":"batch_req_1","custom_id":"story-39","resp', { append: true });
  }
  const last = await kumi(args(killed));
  assertEquals(last.code, 0, last.stderr);
  const lines = await read(killed);
  assertEquals(lines.length, 40);
  assertEquals(texts(lines), texts(await read(whole)));
});

Deno.test({
  name: "kumi batch ends with Ctrl-C, and when nothing more can be written, so that it can go on",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    using folder = new TemporaryFolder();
    const [input, output] = ["in", "out"].map((name) => `${folder.path}/${name}.jsonl`);
    await write(input, stories(30, 200));
    const args = ["batch", input, output, "-t", "1", "--parallel", "2"];
    const child = (await kumiCommand(args)).spawn();
    await untilLines(output, 3);
    child.kill("SIGINT");
    await child.stdin.close();
    const { code, stderr } = await child.output();
    assertEquals(code, 130, new TextDecoder().decode(stderr));
    const before = (await read(output)).length;
    assert(before >= 3 && before < 30, `${before}`);

    const limited = new Deno.Command("sh", {
      args: [
        "-c",
        `trap "" XFSZ; ulimit -f 40; exec "$0" "$@"`,
        Deno.execPath(),
        "run",
        "-A",
        "-q",
        "--no-check",
        "--import-map",
        "src/setup/import_map.local.json",
        "src/cli/main.ts",
        ...args,
      ],
      cwd: decodeURIComponent(new URL("../", import.meta.url).pathname),
      stdout: "piped",
      stderr: "piped",
    });
    const full = await limited.output();
    const said = new TextDecoder().decode(full.stderr);
    assertEquals(full.code, 1, said);
    assertStringIncludes(said, `cannot write ${output}`);
    assert((await read(output)).length < 30);
    assertEquals((await kumi(args)).code, 0);
    assertEquals(new Set((await read(output)).map(({ custom_id }) => custom_id)).size, 30);
  },
});

Deno.test("kumi batch refuses files that it would spoil, and requests for another model", async () => {
  using folder = new TemporaryFolder();
  const [input, notes] = ["in.jsonl", "notes.txt"].map((name) => `${folder.path}/${name}`);
  await write(input, [requestOf("a", "/v1/completions", { prompt: "a", model: "gpt" })]);
  await Deno.writeTextFile(notes, "my notes");
  const others = `${folder.path}/others.jsonl`;
  const response = { status_code: 200, request_id: "1", body: { model: "smollm2" } };
  await write(others, [{ id: "batch_req_1", custom_id: "b", response, error: null }]);
  const cases: [string[], string, number][] = [
    [[input, input], "holds the requests", 2],
    [[`${input}x`, "out"], "there is no file", 2],
    [[input, `${input}o`, "--errors", `${input}o`], "--errors names the file of the answers", 2],
    [[input, `${input}o`], 'no request asks for the model "demo", the first asks for "gpt"', 2],
    [[input, notes, "--model-name", "gpt"], "is no answer to a request", 1],
    [[folder.path, `${input}o`], "cannot be read: it is a folder", 2],
    [[input, folder.path], "cannot be written: it is a folder", 2],
    [[input, `${input}o`, "--errors", "/nope/e"], "--errors: /nope/e cannot be written: there is no such", 2],
    [[input, `${input}o`, "--model", "/nope", "--model-name", "gpt"], "--model: there is no file /nope", 2],
    [
      [input, others, "--model-name", "gpt"],
      'has answers of the model "smollm2", this one is called "gpt"',
      2,
    ],
  ];
  for (const [args, message, code] of cases) {
    const error = await assertRejects(async () => await runBatch(parseCommand(batch, args)), Error, message);
    assertEquals(error instanceof UsageError ? 2 : 1, code, error.message);
  }
  assertEquals(await Deno.readTextFile(notes), "my notes");
  assertEquals(await Deno.stat(`${input}o`).catch(() => null), null, "a mistake made a file");
  const help = await kumi(["batch", "--help"]);
  assertEquals(help.code, 0);
  for (const word of ["IN.jsonl", "--errors", "--parallel", "Exit status"]) {
    assertStringIncludes(help.stdout, word);
  }
});
