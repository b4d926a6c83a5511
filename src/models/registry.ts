import { quote } from "../gguf/error.ts";
import type { ModelFamily } from "./family.ts";
import { gemma } from "./gemma.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3 } from "./gemma3.ts";
import type { ModelHeader } from "./hyperparameters.ts";
import { llama } from "./llama.ts";
import { ModelError } from "./error.ts";
import { checkKind } from "./keys.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";

/** One line per family. */
const FAMILIES: readonly ModelFamily[] = [llama, qwen2, qwen3, gemma, gemma2, gemma3];

/** Values of `general.architecture` that can be run. */
export const supportedArchitectures: readonly string[] = FAMILIES.map((family) => family.architecture);

/** The family that `general.architecture` names. Throws {@linkcode ModelError} for any other, naming those that exist. */
export function familyOf(file: ModelHeader): ModelFamily {
  checkKind(file);
  const architecture = file.get.string("general.architecture");
  const family = FAMILIES.find((candidate) => candidate.architecture === architecture);
  if (family !== undefined) return family;
  throw new ModelError(
    `general.architecture is ${quote(architecture)}; supported are ${supportedArchitectures.join(", ")} ` +
      `(Mistral and SmolLM files say llama)`,
  );
}
