/** One copy of the packed matrices for several runners, in this thread and in workers. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { freeContext, KernelError, Kernels } from "../src/ffi/context.ts";
import type { ModelRunner } from "../src/runner/model_runner.ts";
import { ModelError } from "../src/models/error.ts";
import { loadRunner, TemporaryFolder } from "./support/models.ts";
import type { LeavingWorkerReply } from "./support/leaving_worker.ts";
import { tablesOf } from "../scheduler/testing/tables.ts";

const tokens = Array.from({ length: 40 }, (_, i) => (i * 37 + 11) % 512);

function logits(runner: ModelRunner): Float32Array {
  assert(runner.forward([{ tokens, first: 0, count: tokens.length, tables: tablesOf([0, 1, 2]) }]));
  runner.logits([tokens.length - 1]);
  return runner.readLogits();
}

Deno.test("loadModelRunner() takes matrices from another runner, which may be closed first", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q4_k");
  using first = await loadRunner(path, { threads: 1 });
  const whole = logits(first);
  const shareFrom = first.sharedWeights();
  assert(Object.hasOwn(shareFrom, "blk.0.attn_q.weight") && Object.hasOwn(shareFrom, "output.weight"));
  const parts: number[][] = [];
  const progress = (doneBytes: number, totalBytes: number) => void parts.push([doneBytes, totalBytes]);
  using second = await loadRunner(path, { threads: 2, shareFrom, progress });
  assertEquals(parts.length, 1);
  assertEquals(parts[0][0], parts[0][1]);
  assertEquals(logits(second), whole);

  const { "output.weight": output, "blk.1.ffn_down.weight": down } = shareFrom;
  parts.length = 0;
  using third = await loadRunner(path, { threads: 1, progress, shareFrom: { "output.weight": output } });
  assert(parts.length > 1 && parts[0][0] > 0);
  assertEquals(parts.at(-1)![0], parts.at(-1)![1]);
  await assertRejects(
    () => loadRunner(path, { shareFrom: { "output.weight": down } }),
    ModelError,
    "output.weight\": the file's is [512, 256] of format 12, the shared one [256, 512]",
  );
  first.close();
  assertEquals(logits(second), whole);
  assertEquals(logits(third), whole);
  using fourth = await loadRunner(path, { threads: 1, shareFrom: second.sharedWeights() });
  second.close();
  assertEquals(logits(fourth), whole);
  const stale = await assertRejects(() => loadRunner(path, { shareFrom }), KernelError);
  assertEquals(stale.status, "unknownId");
});

Deno.test("loadModelRunner() refuses shared matrices of another format", async () => {
  using folder = new TemporaryFolder();
  using other = await loadRunner(await folder.randomModel("llama-tiny", "q8_0"), { threads: 1 });
  const path = await folder.randomModel("llama-tiny", "q4_k");
  const loading = () => loadRunner(path, { threads: 1, shareFrom: other.sharedWeights() });
  await assertRejects(loading, ModelError, "of format 8");
});

Deno.test("a shared matrix cannot be written", () => {
  using first = Kernels.open({ workspaceBytes: 64, threads: 1 });
  using second = Kernels.open({ workspaceBytes: 64, threads: 1 });
  const weights = first.createWeights(0, 64, 1024);
  const part = new Uint8Array(16 * 1024 * 4).fill(1);
  for (let i = 0; i < 4; i++) weights.load(16 * i, 16, part);
  const shared = second.shareWeights(weights.id);
  assertEquals([shared.format, shared.rows, shared.k], [0, 64, 1024]);
  const error = assertThrows(() => weights.load(0, 16, part), KernelError);
  assertEquals(error.status, "invalidArgument");
});

Deno.test("freeContext() frees what a worker left, and what others share of it stays", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "q8_0");
  const url = new URL("./support/leaving_worker.ts", import.meta.url);
  const thread = new Worker(url, { type: "module" });
  const left = await new Promise<LeavingWorkerReply>((resolve, reject) => {
    thread.onmessage = ({ data }) => resolve(data);
    thread.onerror = (event) => reject(new Error(event.message));
    thread.postMessage({ path, tokens });
  });
  thread.terminate();
  using runner = await loadRunner(path, { threads: 1, shareFrom: left.weights });
  assertEquals(logits(runner), left.logits);
  using probe = Kernels.open({ workspaceBytes: 64, threads: 1 });
  probe.shareWeights(left.weights["output.weight"]);
  freeContext(left.context);
  freeContext(left.context);
  const error = assertThrows(() => probe.shareWeights(left.weights["output.weight"]), KernelError);
  assertEquals(error.status, "unknownId");
  assertEquals(logits(runner), left.logits);
});
