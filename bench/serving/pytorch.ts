/** PyTorch on the same requests, one at a time. @module */

import type { ModelShape } from "../../src/gguf/random_shapes.ts";
import type { Request } from "./requests.ts";

/** What the script reports. */
export interface PyTorchResult {
  readonly torch: string;
  readonly capability: string;
  readonly threads: number;
  /** Of each request. */
  readonly seconds: readonly number[];
}

const NO_TORCH = 3;

/** PyTorch cannot be measured; the message says what to install. */
export class PyTorchError extends Error {
  override readonly name = "PyTorchError";
}

/** Runs `pytorch_llama.py` with this Python. Throws PyTorchError. */
export async function measurePyTorch(
  python: string,
  shape: ModelShape,
  requests: readonly Request[],
  threads: number,
): Promise<PyTorchResult> {
  const job = {
    shape,
    threads,
    requests: requests.map(({ prompt, answerTokens }) => ({ promptTokens: prompt.length, answerTokens })),
  };
  const child = spawn(python);
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(job))).catch(() => {}); // it may have ended already
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  if (code === NO_TORCH) throw new PyTorchError(`${python} has no torch. ${advice()}`);
  if (code !== 0) {
    throw new PyTorchError(`${python} failed: ${new TextDecoder().decode(stderr).slice(-2000)}`);
  }
  return JSON.parse(new TextDecoder().decode(stdout));
}

function spawn(python: string): Deno.ChildProcess {
  const args = [`${import.meta.dirname}/pytorch_llama.py`];
  try {
    return new Deno.Command(python, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  } catch (cause) {
    throw new PyTorchError(`cannot run ${python}. ${advice()}`, { cause });
  }
}

function advice(): string {
  return "To install it: python3 -m venv torch && torch/bin/pip install torch; then --python torch/bin/python, " +
    "or leave this baseline out with --without pytorch";
}
