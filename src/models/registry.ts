import { quote } from "../gguf/error.ts";
import type { ModelFamily } from "./family.ts";
import { gemma } from "./gemma.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3 } from "./gemma3.ts";
import type { ModelHeader } from "./hyperparameters.ts";
import { llama } from "./llama.ts";
import { ModelError } from "./error.ts";
import { checkKind } from "./keys.ts";
import { baichuan } from "./baichuan.ts";
import { bailingmoe } from "./bailingmoe.ts";
import { bailingmoe2 } from "./bailingmoe2.ts";
import { deepseek } from "./deepseek.ts";
import { deepseek2 } from "./deepseek2.ts";
import { dots1 } from "./dots1.ts";
import { ernie45Moe } from "./ernie4_5_moe.ts";
import { glm4moe } from "./glm4moe.ts";
import { gptOss } from "./gpt_oss.ts";
import { hunyuanMoe } from "./hunyuan_moe.ts";
import { lfm2, lfm2moe } from "./lfm2.ts";
import { minimaxM2 } from "./minimax_m2.ts";
import { olmoe } from "./olmoe.ts";
import { qwen2moe } from "./qwen2moe.ts";
import { qwen3moe } from "./qwen3moe.ts";
import { ernie45 } from "./ernie4_5.ts";
import { exaone4 } from "./exaone4.ts";
import { glm4 } from "./glm4.ts";
import { granite, graniteHybrid, graniteMoe } from "./granite.ts";
import { hunyuanDense } from "./hunyuan_dense.ts";
import { internlm2 } from "./internlm2.ts";
import { minicpm } from "./minicpm.ts";
import { mistral3 } from "./mistral3.ts";
import { olmo2 } from "./olmo2.ts";
import { phi3 } from "./phi3.ts";
import { plamo3 } from "./plamo3.ts";
import { seedOss } from "./seed_oss.ts";
import { smallThinker } from "./smallthinker.ts";
import { smollm3 } from "./smollm3.ts";
import { xverse } from "./xverse.ts";
import { apertus } from "./apertus.ts";
import { codeshell } from "./codeshell.ts";
import { cohere2 } from "./cohere2.ts";
import { commandR } from "./command_r.ts";
import { exaone } from "./exaone.ts";
import { falcon } from "./falcon.ts";
import { gpt2 } from "./gpt2.ts";
import { gptneox } from "./gptneox.ts";
import { nemotron } from "./nemotron.ts";
import { nemotronH, nemotronHMoe } from "./nemotron_h.ts";
import { olmo } from "./olmo.ts";
import { phi2 } from "./phi2.ts";
import { stablelm } from "./stablelm.ts";
import { starcoder } from "./starcoder.ts";
import { starcoder2 } from "./starcoder2.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { qwen35 } from "./qwen35.ts";
import { qwen35moe } from "./qwen35moe.ts";
import { qwen3next } from "./qwen3next.ts";

/** One line per family. */
const FAMILIES: readonly ModelFamily[] = [
  llama,
  qwen2,
  qwen3,
  gemma,
  gemma2,
  gemma3,
  phi3,
  granite,
  olmo2,
  smallThinker,
  smollm3,
  glm4,
  mistral3,
  exaone4,
  seedOss,
  ernie45,
  hunyuanDense,
  internlm2,
  plamo3,
  minicpm,
  baichuan,
  xverse,
  exaone,
  gpt2,
  starcoder,
  starcoder2,
  codeshell,
  gptneox,
  phi2,
  falcon,
  stablelm,
  commandR,
  cohere2,
  nemotron,
  nemotronH,
  nemotronHMoe,
  olmo,
  apertus,
  qwen2moe,
  qwen3moe,
  olmoe,
  graniteMoe,
  gptOss,
  glm4moe,
  ernie45Moe,
  hunyuanMoe,
  bailingmoe2,
  bailingmoe,
  deepseek,
  deepseek2,
  dots1,
  minimaxM2,
  qwen35,
  qwen35moe,
  qwen3next,
  lfm2,
  lfm2moe,
  graniteHybrid,
];

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
