import { Attention } from "../layers/attention.ts";
import { Decoder } from "../layers/decoder.ts";
import { Embedding } from "../layers/embedding.ts";
import { FeedForward } from "../layers/feed_forward.ts";
import { OutputHead } from "../layers/output_head.ts";
import { matrix, type ModelFamily, optional, vector } from "./family.ts";
import { readHyperparameters } from "./read_hyperparameters.ts";

/**
 * Qwen 3 (dense): as Llama, with an RMSNorm of each head's query and key before RoPE over the two halves of a
 * head, and a head size of its own (heads · headDim need not be hidden). Yang et al. 2025.
 */
export const qwen3: ModelFamily = {
  architecture: "qwen3",

  hyperparameters: (file) => readHyperparameters(file, { architecture: "qwen3", pairing: "halves" }),

  tensors: (h) => [
    matrix("token_embd.weight", h.vocab, h.hidden),
    ...h.layers.map(({ heads, kvHeads, keyDim, ffn }, i) => [
      vector(`blk.${i}.attn_norm.weight`, h.hidden),
      matrix(`blk.${i}.attn_q.weight`, heads * keyDim, h.hidden),
      matrix(`blk.${i}.attn_k.weight`, kvHeads * keyDim, h.hidden),
      matrix(`blk.${i}.attn_v.weight`, kvHeads * keyDim, h.hidden),
      matrix(`blk.${i}.attn_output.weight`, h.hidden, heads * keyDim),
      vector(`blk.${i}.attn_q_norm.weight`, keyDim),
      vector(`blk.${i}.attn_k_norm.weight`, keyDim),
      vector(`blk.${i}.ffn_norm.weight`, h.hidden),
      matrix(`blk.${i}.ffn_gate.weight`, ffn, h.hidden),
      matrix(`blk.${i}.ffn_up.weight`, ffn, h.hidden),
      matrix(`blk.${i}.ffn_down.weight`, h.hidden, ffn),
    ]).flat(),
    vector("output_norm.weight", h.hidden),
    optional(matrix("output.weight", h.vocab, h.hidden)),
  ],

  compose(h, source, context) {
    const { kernels, scratch } = context;
    const table = source.matrix("token_embd.weight");
    const layers = h.layers.map((shape, i) => ({
      attention: new Attention(context, i, { ...shape, normEps: h.normEps }, {
        norm: source.vector(`blk.${i}.attn_norm.weight`),
        q: source.matrix(`blk.${i}.attn_q.weight`),
        k: source.matrix(`blk.${i}.attn_k.weight`),
        v: source.matrix(`blk.${i}.attn_v.weight`),
        output: source.matrix(`blk.${i}.attn_output.weight`),
        qNorm: source.vector(`blk.${i}.attn_q_norm.weight`),
        kNorm: source.vector(`blk.${i}.attn_k_norm.weight`),
      }),
      feedForward: new FeedForward(kernels, scratch, h.normEps, {
        norm: source.vector(`blk.${i}.ffn_norm.weight`),
        gate: source.matrix(`blk.${i}.ffn_gate.weight`),
        up: source.matrix(`blk.${i}.ffn_up.weight`),
        down: source.matrix(`blk.${i}.ffn_down.weight`),
      }),
    }));
    const outputNorm = source.vector("output_norm.weight");
    const output = source.optionalMatrix("output.weight") ?? table;
    return new Decoder(
      scratch.x,
      new Embedding(kernels, table),
      layers,
      new OutputHead(kernels, scratch, h.normEps, outputNorm, output),
    );
  },
};
