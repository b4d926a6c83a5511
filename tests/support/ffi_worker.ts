/** A worker that opens kernels, uses them, and then closes them, leaves them, or ends in the middle. */
import { f32At, Kernels } from "../../src/ffi/context.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<"close" | "leave" | "exit">) => void;
  postMessage(message: string): void;
  close(): void;
};

scope.onmessage = ({ data: ending }) => {
  const kernels = Kernels.open({ workspaceBytes: 4096, threads: 4 });
  const weights = kernels.createWeights(0, 16, 16);
  weights.load(0, 16, new Uint8Array(16 * 16 * 4));
  for (let i = 0; i < 50; i++) {
    kernels.matmul(f32At(0), 1, false, weights, undefined, 8);
  }
  if (ending === "close") kernels.close();
  scope.postMessage("done");
  if (ending === "exit") scope.close();
};
