/** The yardstick of a loaded model. @module */

import type { GgufFile } from "../../gguf/mod.ts";
import type { ModelRunner } from "../../runner/model_runner.ts";
import { matricesRead } from "./limits.ts";
import { LimitMeter } from "./meter.ts";

/** Reads what a step reads. */
export function meterOf(runner: ModelRunner, file: GgufFile): LimitMeter {
  const ids = runner.sharedWeights();
  const matrices = matricesRead(file).map(({ name, bytes }) => ({ id: ids[name], bytes }));
  return LimitMeter.of(runner.kernels, [...matrices].filter(({ id }) => id !== undefined));
}
