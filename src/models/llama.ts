import { Attention } from "../layers/attention.ts";
import { Decoder } from "../layers/decoder.ts";
import { Embedding } from "../layers/embedding.ts";
import { FeedForward } from "../layers/feed_forward.ts";
import { OutputHead } from "../layers/output_head.ts";
import { matrix, type ModelFamily, optional, vector } from "./family.ts";
import { readHyperparameters } from "./read_hyperparameters.ts";

/**
 * Llama 2 and 3.x, Mistral, SmolLM: everything whose files say "llama". Grouped-query attention, RoPE over
 * interleaved pairs (the converter permutes Q and K for that) with optional frequency factors, SwiGLU.
 * Touvron et al. 2023; Grattafiori et al. 2024.
 */
export const llama: ModelFamily = {
  architecture: "llama",

  hyperparameters: (file) => readHyperparameters(file, { architecture: "llama", pairing: "interleaved" }),

  tensors: (h) => [
    matrix("token_embd.weight", h.vocab, h.hidden),
    optional(vector("rope_freqs.weight", h.layers[0].rope.dimensions / 2)),
    ...h.layers.map(({ heads, kvHeads, keyDim, ffn }, i) => [
      vector(`blk.${i}.attn_norm.weight`, h.hidden),
      matrix(`blk.${i}.attn_q.weight`, heads * keyDim, h.hidden),
      matrix(`blk.${i}.attn_k.weight`, kvHeads * keyDim, h.hidden),
      matrix(`blk.${i}.attn_v.weight`, kvHeads * keyDim, h.hidden),
      matrix(`blk.${i}.attn_output.weight`, h.hidden, heads * keyDim),
      optional(vector(`blk.${i}.attn_q.bias`, heads * keyDim)),
      optional(vector(`blk.${i}.attn_k.bias`, kvHeads * keyDim)),
      optional(vector(`blk.${i}.attn_v.bias`, kvHeads * keyDim)),
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
        qBias: source.optionalVector(`blk.${i}.attn_q.bias`),
        kBias: source.optionalVector(`blk.${i}.attn_k.bias`),
        vBias: source.optionalVector(`blk.${i}.attn_v.bias`),
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
