import { composeDecoder } from "./decoder.ts";
import type { ModelFamily } from "./family.ts";
import { WINDOW_KEYS, withWindows } from "./windows.ts";

/**
 * gpt-oss: experts with biases and a clamped SwiGLU, whose weights are the softmax of the chosen ones' logits; attention with
 * biases, a sink for each head, and a window of 128 tokens in every second layer. OpenAI 2025.
 */
export const gptOss: ModelFamily = {
  architecture: "gpt-oss",
  pairing: "halves",
  experts: { scoring: "logits" },
  ownKeys: WINDOW_KEYS,
  refine: (h, file) => withWindows(h, file, { window: 128, period: 2 }),
  compose: (h, b) =>
    composeDecoder(h, b, () => ({
      biases: "required",
      outputBias: true,
      sinks: true,
      feedForwardNorm: "post_attention_norm",
      experts: { biases: true },
      feedForward: { activation: "clamped" },
    })),
};
