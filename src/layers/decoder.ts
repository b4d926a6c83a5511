import type { Region } from "../ffi/context.ts";
import { Embedding } from "./embedding.ts";
import type { Layer, LayerContext, LayerPlan } from "./layer.ts";
import { Norm } from "./norm.ts";
import { OutputHead } from "./output_head.ts";
import { Predictor, type PredictorSpec } from "./predictor.ts";
import type { MatrixSpec, NormSpec, VectorSpec } from "./tensors.ts";

/** What a decoder is made of, before there is memory for it. */
export interface DecoderSpec {
  /** Rows of the tokens: [vocab, hidden]. */
  table: MatrixSpec;
  /** Multiplies the rows of the tokens. */
  tableScale: number;
  /** Rows that are added to those of the tokens, by position: [context, hidden]. Default: none. */
  positions?: MatrixSpec;
  /** Of each decoder layer its parts, in the order in which a token passes them: attention, feed-forward. */
  layers: readonly (readonly LayerPlan[])[];
  /** Of the residual stream before the logits: [hidden]. */
  outputNorm: NormSpec;
  /** [vocab, hidden]; the token table itself where the file has none. */
  output: MatrixSpec;
  /** Added to the logits before anything else is done to them: [vocab]. */
  outputBias?: VectorSpec;
  /** Multiplies the logits. */
  logitScale: number;
  /** Logits become logitCap · tanh(logit / logitCap), scaled before; 0: they do not. */
  logitCap: number;
  /** What guesses the token after the next. Default: nothing. */
  predictor?: PredictorSpec;
}

/** A decoder-only transformer, read from the top down: embedding, layers, output head. */
export class Decoder {
  readonly #embedding: Embedding;
  /** The parts of all decoder layers. */
  readonly #layers: readonly Layer[];
  readonly #head: OutputHead;
  readonly #x: Region;
  /** What guesses, where the model has it: answers do not depend on it. */
  readonly predictor?: Predictor;

  constructor(context: LayerContext, spec: DecoderSpec) {
    const { table, tableScale, layers, outputNorm, output } = spec;
    const { kernels, arena, scratch, tensors } = context;
    const tokens = tensors.matrix(table);
    this.#x = scratch.x;
    this.#embedding = new Embedding(
      kernels,
      arena,
      tokens,
      tableScale,
      tensors.optionalMatrix(spec.positions),
    );
    this.#layers = layers.flat().map((plan) => plan.create(context));
    const weights = tensors.optionalMatrix(output) ?? tokens;
    const norm = new Norm(kernels, tensors, outputNorm, weights.k);
    const bias = tensors.optionalVector(spec.outputBias);
    this.#head = new OutputHead(kernels, scratch, spec, norm, weights, bias);
    if (spec.predictor !== undefined) this.predictor = new Predictor(context, spec.predictor, spec);
  }

  /**
   * Computes the hidden states of the batch set last and appends its keys and values to the cache.
   * `interrupted` is asked before each part of a layer; once it says true the step ends early with false. An interrupted
   * step may be computed again: it writes the same keys and values to the same slots.
   */
  forward(ids: Uint32Array, interrupted?: () => boolean): boolean {
    this.#embedding.forward(ids, this.#x);
    for (const layer of this.#layers) {
      if (interrupted?.()) return false;
      layer.forward(ids.length);
    }
    return true;
  }

  /** Logits of the tokens at `rows` of the last step: a region of [rows.length, vocab] f32. */
  logits(rows: Uint32Array): Region {
    return this.#head.forward(rows);
  }

  /** Hidden states after the last norm of the tokens at `rows` of the last step: a region of [rows.length, hidden] f32. */
  hidden(rows: Uint32Array): Region {
    return this.#head.hidden(rows);
  }
}
