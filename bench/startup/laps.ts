/**
 * What happens between a command and its first token, one thing after the other in a new process, timed: JSON
 * with ms by name. Arguments: model, threads, prompt.
 * @module
 */

const laps: Record<string, number> = {};

/** Runs a part and notes how long it took. */
async function lap<T>(name: string, part: () => T | Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await part();
  laps[name] = performance.now() - started;
  return result;
}

const ENGINE = new URL("../../src/engine/worker.ts", import.meta.url);

/** An engine's worker, until it answers. */
async function startWorker(): Promise<void> {
  const worker = new Worker(ENGINE, { type: "module" });
  const answer = new Promise((resolve) => worker.onmessage = resolve);
  worker.postMessage({ type: "stats", id: 1 }); // it has nothing loaded, and says so
  await answer;
  worker.terminate();
}

const [model, threads, prompt] = Deno.args;

// By URLs, so that none is read before its turn.
const at = (path: string) => import(new URL(path, import.meta.url).href);
type At<T> = Promise<T>;

await lap("caller's modules", () => at("../../src/cli/actions/run.ts"));
await lap("worker and its modules", startWorker);
const { openModel } = await (at("../../src/safetensors/open_model.ts") as At<
  typeof import("../../src/safetensors/open_model.ts")
>);
const { readModel } = await (at("../../src/runner/model_file.ts") as At<
  typeof import("../../src/runner/model_file.ts")
>);
const { loadModelRunner } = await (at("../../src/runner/model_runner.ts") as At<
  typeof import("../../src/runner/model_runner.ts")
>);
const { Kernels } = await (at("../../src/ffi/context.ts") as At<typeof import("../../src/ffi/context.ts")>);
const { prepare } = await (at("../../src/cli/bench/cases.ts") as At<
  typeof import("../../src/cli/bench/cases.ts")
>);

using file = await lap("file's header", () => openModel(model));
const { tokenizer } = await lap("checks, tokenizer, template", () => readModel(file));
const tokens = await lap("prompt's tokens", () => tokenizer.encode(prompt, { addSpecial: true }).length);
await lap(
  "library and threads",
  () => Kernels.open({ threads: Number(threads), workspaceBytes: 64 }).close(),
);
const runner = await lap("weights", () => loadModelRunner(file, { threads: Number(threads) }));
const first = prepare(runner, { test: "prefill", tokens, batch: 1, depth: 0 });
await lap("prompt's step", () => first.run());
await lap("end", () => runner.close());
console.log(JSON.stringify(laps));
