/** DeepSeek 2 as its older files have it: what makes keys and values in one tensor, and sizes of heads alone. @module */

import { composeDecoder } from "../../src/models/decoder.ts";
import { deepseek2 } from "../../src/models/deepseek2.ts";
import type { ModelFamily } from "../../src/models/family.ts";
import { writeRandomModel } from "../../src/models/random_model.ts";
import { type ModelShape, modelShape } from "../../src/models/shapes.ts";

const family: ModelFamily = {
  ...deepseek2,
  compose: (h, b) => composeDecoder(h, b, () => ({ fused: ["latent"], experts: { choiceBias: "optional" } })),
};

function olderShape(name: string): ModelShape {
  const { entries = [], ...sizes } = modelShape(name);
  return {
    ...sizes,
    kvHeads: sizes.heads,
    entries: entries.filter(({ key }) => !/\.attention\.(key|value)_length/.test(key)),
  };
}

/** Writes a random model of this shape as an older file. */
export async function writeOlderDeepseek(path: string, shape: string, format: string): Promise<void> {
  await writeRandomModel(path, { shape: olderShape(shape), family, format });
}
