/** Engines in processes of their own: the same texts, whatever becomes of the processes. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type GenerationResult, loadModel, Model, QuarantineError } from "../mod.ts";
import { EngineClient } from "../src/client/client.ts";
import { locateModel } from "../src/client/locate_model.ts";
import { engineCommand } from "../src/client/process/engine_command.ts";
import { ProcessTransport } from "../src/client/process/process_transport.ts";
import { WorkerTransport } from "../src/client/transport.ts";
import { FAULTS } from "./support/faults.ts";
import { ROOT } from "../src/setup/paths.ts";
import { waitUntil } from "./support/waiting.ts";

const ENGINE = { threads: 1, contextLength: 256 };
const TOKENS = 60;
/** Of answers that outlive the crashes of others. */
const LONG = 200;
const isWindows = Deno.build.os === "windows";

/** An engine's module in place of the real one, with all permissions. */
function testCommand(name: string) {
  const entry = new URL(`./support/${name}`, import.meta.url);
  const { program } = engineCommand();
  return { program, args: ["run", "--quiet", "--no-lock", "--allow-all", entry.href] };
}

/** The demo model in a process of its own. */
async function loadProcess(command = engineCommand(), log: string[] = []): Promise<Model> {
  const create = () => new ProcessTransport({ command, log: (line) => log.push(line) });
  const path = await locateModel("demo");
  const options = { path, engine: ENGINE, shareWeights: false, backOff: { firstMs: 20, mostMs: 100 } };
  return new Model(await EngineClient.start(create, options));
}

async function loadThread(): Promise<Model> {
  const path = await locateModel("demo");
  return new Model(await EngineClient.start(() => new WorkerTransport(), { path, engine: ENGINE }));
}

/** An answer, and the tokens that were delivered on the way. */
interface Watched {
  readonly result: Promise<GenerationResult>;
  readonly tokens: number[];
}

function ask(model: Model, seed: number, maxTokens = TOKENS): Watched {
  const tokens: number[] = [];
  const { result } = model.chat([{ role: "user", content: `What is ${seed} plus 3?` }], {
    seed,
    temperature: 1,
    maxTokens,
    ignoreEnd: true,
    logprobs: 2,
    onTokens: (more) => tokens.push(...more),
  });
  result.catch(() => {});
  return { result, tokens };
}

/** What an answer is made of, to the bit. */
async function gist({ result, tokens }: Watched) {
  const { text, usage, logprobs, finishReason } = await result;
  assertEquals(tokens.length, usage.completionTokens);
  return { text, tokens, logprobs, finishReason };
}

const pidOf = (model: Model) => model.health().workers[0].pid;

/** Kills the engine's process and waits until there is another one. */
async function killEngine(model: Model): Promise<void> {
  const pid = pidOf(model);
  assert(pid !== undefined);
  Deno.kill(pid, "SIGKILL");
  await waitUntil(() => model.health().ready && pidOf(model) !== pid);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("an engine in a process gives the bits of one in a thread, also when it is killed again and again", async () => {
  await using thread = await loadThread();
  const seeds = Array.from({ length: 12 }, (_, i) => i);
  const expected = await Promise.all(seeds.map((seed) => gist(ask(thread, seed))));
  assert(new Set(expected.map(({ text }) => text)).size > 6);
  await using model = await loadProcess();
  assert(pidOf(model) !== undefined && pidOf(thread) === undefined);
  const answers = seeds.map((seed) => ask(model, seed));
  for (let kill = 0; kill < 3; kill++) {
    // Some tokens later.
    const before = answers[0].tokens.length;
    while (answers[0].tokens.length === before && before < TOKENS) await pause(1);
    await killEngine(model);
  }
  assertEquals(await Promise.all(answers.map(gist)), expected);
  const { restarts, quarantined, pending } = await model.stats();
  assertEquals([restarts, quarantined, pending], [3, 0, 0]);
});

Deno.test({
  name: "a request that crashes the engine is found and given up; all others have their answers",
  ignore: isWindows,
  fn: async () => {
    await using thread = await loadThread();
    const seeds = Array.from({ length: 6 }, (_, i) => i);
    const expected = await Promise.all(seeds.map((seed) => gist(ask(thread, seed, LONG))));
    const log: string[] = [];
    await using model = await loadProcess(testCommand("faulty_process.ts"), log);
    const answers = seeds.map((seed) => ask(model, seed, LONG));
    const error = await assertRejects(() => ask(model, FAULTS.SIGSEGV).result, QuarantineError, "SIGSEGV");
    assertEquals((error as QuarantineError).deaths, 2);
    // Those that were in steps with it before are not suspected more than it for that.
    const drifting = await assertRejects(() => ask(model, FAULTS.DRIFT).result, QuarantineError, "SIGSEGV");
    assertEquals((drifting as QuarantineError).deaths, 3);
    assertEquals(await Promise.all(answers.map(gist)), expected);
    const { restarts, quarantined } = await model.stats();
    assertEquals([restarts, quarantined], [5, 2]);
    assertEquals(log.filter((line) => line.includes("crashed (SIGSEGV)")).length, 5, log.join("\n"));
  },
});

Deno.test({
  name: "each signal of a fault accuses the requests in the step, several of them one after another",
  ignore: isWindows,
  fn: async () => {
    await using model = await loadProcess(testCommand("faulty_process.ts"));
    const innocent = ask(model, 1);
    for (const name of ["SIGBUS", "SIGILL", "SIGFPE", "SIGABRT"] as const) {
      await assertRejects(() => ask(model, FAULTS[name], 8).result, QuarantineError, name);
    }
    assertEquals((await gist(innocent)).tokens.length, TOKENS);
    assertEquals((await model.stats()).quarantined, 4);
  },
});

Deno.test("an error of the engine's thread is told with its words, and its requests go on", async () => {
  const log: string[] = [];
  const command = testCommand("mortal_process.ts");
  let starts = 0;
  const create = () =>
    new ProcessTransport({
      command: { ...command, args: [...command.args, starts++ === 0 ? "9" : "0"] },
      log: (line) => log.push(line),
    });
  const path = await locateModel("demo");
  const options = { path, engine: ENGINE, shareWeights: false, backOff: {} };
  await using model = new Model(await EngineClient.start(create, options));
  assertEquals((await gist(ask(model, 5))).tokens.length, TOKENS);
  assertEquals((await model.stats()).restarts, 1);
  assertStringIncludes(log.join("\n"), "mortal");
  // What code writes to the console cannot be taken for a message.
  assertStringIncludes(log.join("\n"), "a line of the engine");
});

Deno.test("loadModel() says what is wrong where an engine's process cannot be what it should", async () => {
  const cases: [name: string, message: string][] = [
    ["foreign_process.ts", "its process is of kumi 0.0.0-other"],
    ["babbling_process.ts", "A frame says that it has"],
  ];
  for (const [name, message] of cases) {
    await assertRejects(() => loadProcess(testCommand(name)), Error, message);
  }
  await assertRejects(
    () => loadModel("/no/such/model.gguf", { isolation: "process", threads: 1 }),
    Error,
    "/no/such/model.gguf",
  );
});

/** Runs a program that uses the library, to its end. */
async function script(text: string, flags: readonly string[], env: Record<string, string> = {}) {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, text);
    const args = ["run", "--quiet", "--no-lock", `--config=${ROOT}/deno.json`, "--no-prompt", ...flags, path];
    const { stdout, stderr, code } = await new Deno.Command(Deno.execPath(), { args, env }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("loadModel() with isolation needs the permission to start Deno, and none to open the library", async () => {
  const text = `
    import { loadModel } from "${ROOT}/mod.ts";
    await using model = await loadModel("demo", { isolation: "process", threads: 1 });
    console.log((await model.generate("Once", { maxTokens: 3, temperature: 0 }).result).usage.completionTokens);`;
  const flags = ["--allow-read", "--allow-env"];
  const closed = await script(text, flags);
  assertEquals(closed.code, 1);
  assertStringIncludes(closed.stderr, `give it --allow-run=${Deno.execPath()}`);
  const open = await script(text, [...flags, `--allow-run=${Deno.execPath()}`]);
  assertEquals([open.code, open.stdout.trim()], [0, "3"], open.stderr);
  // Deno passes this variable on only with --allow-run for everything.
  const env = { LD_LIBRARY_PATH: "/nowhere" };
  const other = await script(text, [...flags, `--allow-run=${Deno.execPath()}`], env);
  assertEquals([other.code, other.stdout.trim()], [0, "3"], other.stderr);
});

Deno.test({
  name: "an engine's process ends with the process that started it, also in the middle of a step",
  ignore: isWindows,
  fn: async () => {
    const text = `
      import { loadModel } from "${ROOT}/mod.ts";
      const model = await loadModel("demo", { isolation: "process", threads: 1 });
      for (let i = 0; i < 8; i++) {
        model.generate("Once", { ignoreEnd: true, seed: i, onTokens() {
          if (i < 7) return;
          console.log(model.health().workers[0].pid);
          Deno.kill(Deno.pid, "SIGKILL");
        } }).result.catch(() => {});
      }`;
    const { stdout, stderr } = await script(text, ["--allow-all"]);
    const pid = Number(stdout.trim().split("\n")[0]);
    assert(pid > 1, stderr);
    while (isThere(pid)) await pause(10);
  },
});

/** Whether a process runs; one that nobody has taken note of the end of does not. */
function isThere(pid: number): boolean {
  const { stdout } = new Deno.Command("ps", { args: ["-o", "stat=", "-p", `${pid}`] }).outputSync();
  const state = new TextDecoder().decode(stdout).trim();
  return state !== "" && !state.startsWith("Z");
}
