import type { DecoderSpec } from "../layers/decoder.ts";
import type { TensorSpec } from "../layers/tensors.ts";
import { ModelBuilder } from "./builder.ts";
import { ModelError } from "./error.ts";
import type { ModelFamily } from "./family.ts";
import type { Fusion } from "./fused.ts";
import type { Hyperparameters } from "./hyperparameters.ts";

/** A model as its family composes it. */
export interface ComposedModel {
  readonly decoder: DecoderSpec;
  /** Every tensor that it reads, or would where the file has it. */
  readonly tensors: readonly TensorSpec[];
  /** Those that the file may have in one. */
  readonly fusions: readonly Fusion[];
  /** How the names of tensors begin that the file may have and nothing reads. */
  readonly ignored: readonly string[];
}

/** Runs the family's composition. Throws a ModelError that names the first layer that asks for what no kernel computes. */
export function composeModel(family: ModelFamily, h: Hyperparameters): ComposedModel {
  const builder = new ModelBuilder();
  const decoder = family.compose(h, builder);
  const { layers, predictor } = decoder;
  for (const [i, parts] of [...layers, ...predictor === undefined ? [] : [predictor.layer]].entries()) {
    const lacking = parts.map((part) => part.lacking).find((what) => what !== undefined);
    if (lacking !== undefined) throw new ModelError(`layer ${i} asks for ${lacking}: not supported`);
  }
  return { decoder, tensors: builder.tensors, fusions: builder.fusions, ignored: builder.ignored };
}

/** A file's tensors without those that nothing reads. */
export function withoutIgnored<T>(
  tensors: ReadonlyMap<string, T>,
  { ignored }: Pick<ComposedModel, "ignored">,
): ReadonlyMap<string, T> {
  if (ignored.length === 0) return tensors;
  return new Map([...tensors].filter(([name]) => !ignored.some((prefix) => name.startsWith(prefix))));
}
