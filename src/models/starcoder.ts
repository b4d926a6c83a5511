import type { ModelFamily } from "./family.ts";
import { gpt2 } from "./gpt2.ts";

/** StarCoder, SantaCoder, Granite Code 20B: as GPT-2, with one key and value for all heads. Li et al. 2023. */
export const starcoder: ModelFamily = { ...gpt2, architecture: "starcoder", pairing: "interleaved" };
