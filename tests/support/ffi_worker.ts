/** A worker that opens kernels, uses them, and then closes them, leaves them, or ends in the middle. */
import { Kernels, NONE } from "../../src/ffi/context.ts";

self.onmessage = ({ data: ending }: MessageEvent<"close" | "leave" | "exit">) => {
  const kernels = Kernels.open({ workspaceBytes: 4096, threads: 4 });
  const weights = kernels.createWeights(0, 16, 16);
  weights.load(0, 16, new Uint8Array(16 * 16 * 4));
  for (let i = 0; i < 50; i++) {
    kernels.matmul({ f32: 0, q32: NONE, q256: NONE }, 1, false, weights, undefined, 8);
  }
  if (ending === "close") kernels.close();
  self.postMessage("done");
  if (ending === "exit") self.close();
};
