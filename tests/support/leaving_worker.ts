/** A worker that loads a model, computes logits, and leaves its kernels open. */
import { loadRunner } from "./models.ts";
import { tablesOf } from "../../scheduler/testing/tables.ts";

/** What it tells: the native context, its matrices, and the logits after the last token. */
export interface LeavingWorkerReply {
  context: number;
  weights: Record<string, number>;
  logits: Float32Array;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<{ path: string; tokens: number[] }>) => void;
  postMessage(message: LeavingWorkerReply): void;
};

scope.onmessage = async ({ data: { path, tokens } }) => {
  let context = 0;
  const runner = await loadRunner(path, { threads: 2, onContext: (id) => context = id });
  runner.forward([{ tokens, first: 0, count: tokens.length, tables: tablesOf([0, 1, 2]) }]);
  runner.logits([tokens.length - 1]);
  scope.postMessage({ context, weights: runner.sharedWeights(), logits: runner.readLogits() });
};
