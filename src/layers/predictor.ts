import { f32At, type Kernels, type Region, type Vector, type Weights } from "../ffi/context.ts";
import { Embedding } from "./embedding.ts";
import type { Layer, LayerContext, LayerPlan } from "./layer.ts";
import { StreamInput } from "./layer_input.ts";
import { Norm } from "./norm.ts";
import { OutputHead, type OutputHeadOptions } from "./output_head.ts";
import { OWN_STATE, type PredictorScratch, ROW_STEP, STATES_FIRST } from "./scratch.ts";
import type { MatrixSpec, NormSpec, RmsNormSpec, VectorSpec } from "./tensors.ts";

/** What a predictor is made of beside the model's own table, last norm and output, which it shares where it has none. */
export interface PredictorSpec {
  /** Its decoder layer. */
  layer: readonly LayerPlan[];
  /** [hidden, 2 · hidden]: of a token's embedding and, behind it, of the state before the token. */
  project: MatrixSpec;
  /** Of embeddings, and of states: [hidden] each. */
  tokenNorm: RmsNormSpec;
  stateNorm: RmsNormSpec;
  /** [vocab, hidden] */
  table?: MatrixSpec;
  outputNorm: { weight: VectorSpec; eps: number };
  /** [vocab, hidden] */
  output?: MatrixSpec;
}

/** What it shares with its model. */
interface ModelParts extends OutputHeadOptions {
  readonly table: MatrixSpec;
  readonly tableScale: number;
  readonly outputNorm: NormSpec;
  readonly output: MatrixSpec;
}

/**
 * A layer that guesses what comes after a token t from the state s of the model behind the tokens before it, that is after the last
 * norm: x = W_p · [norm(e_t); norm(s_(t−1))], then a decoder layer over such x of all tokens, with keys and values of its own, then a
 * norm and the output. Further tokens are guessed with its own normed output as the state. DeepSeek-AI 2024.
 *
 * A token's keys and values lie where the model's own of that token do, so that they depend on nothing behind it, and whoever
 * shares a block shares them. The first token has no state before it: it has zeros.
 */
export class Predictor {
  readonly #kernels: Kernels;
  readonly #scratch: PredictorScratch;
  readonly #hidden: number;
  /** Where the rows of states begin: those that are kept, then the step's, then the step's embeddings. */
  readonly #states: Region;
  readonly #embeddings: Region;
  /** Of the first embedding, among all rows. */
  readonly #embeddingsFirst: number;
  readonly #modelNorm: Norm;
  readonly #stateNorm: Vector;
  readonly #tokenNorm: Vector;
  readonly #spec: PredictorSpec;
  readonly #embedding: Embedding;
  readonly #input: StreamInput;
  readonly #project: Weights;
  readonly #layers: readonly Layer[];
  readonly #ownNorm: Norm;
  readonly #head: OutputHead;
  readonly #x: Region;
  #isCleared = false;

  constructor(context: LayerContext, spec: PredictorSpec, model: ModelParts) {
    const { kernels, arena, tensors } = context;
    const scratch = context.scratch.predictor;
    if (scratch === undefined) throw new Error("Cannot make a predictor: there is no room for its rows");
    const { rows, pairs, paired, stream, tokensMax } = scratch;
    this.#kernels = kernels;
    this.#scratch = scratch;
    this.#spec = spec;
    this.#x = context.scratch.x;
    this.#project = tensors.matrix(spec.project);
    this.#hidden = this.#project.rows;
    this.#states = rows + STATES_FIRST * this.#hidden / ROW_STEP;
    this.#embeddingsFirst = STATES_FIRST + tokensMax;
    this.#embeddings = rows + this.#embeddingsFirst * this.#hidden / ROW_STEP;
    const table = tensors.optionalMatrix(spec.table) ?? tensors.matrix(model.table);
    this.#embedding = new Embedding(kernels, arena, table, model.tableScale);
    this.#modelNorm = new Norm(kernels, tensors, model.outputNorm, this.#hidden);
    this.#tokenNorm = tensors.vector(spec.tokenNorm.weight);
    this.#stateNorm = tensors.vector(spec.stateNorm.weight);
    const ofPairs = { ...context, scratch: { ...context.scratch, x: pairs, normed: paired } };
    this.#input = new StreamInput(ofPairs, undefined, [this.#project]);
    const own = { ...context, scratch: { ...context.scratch, x: stream } };
    this.#layers = spec.layer.map((plan) => plan.create(own));
    const hasNorm = tensors.optionalVector(spec.outputNorm.weight) !== undefined;
    this.#ownNorm = new Norm(kernels, tensors, hasNorm ? spec.outputNorm : model.outputNorm, this.#hidden);
    const output = tensors.optionalMatrix(spec.output) ?? tensors.optionalMatrix(model.output);
    this.#head = new OutputHead(
      kernels,
      own.scratch,
      model,
      this.#ownNorm,
      output ?? tensors.matrix(model.table),
    );
  }

  /** Takes the states of all tokens of the model's last step: they are rows from `STATES_FIRST` on until the next call. */
  takeStates(tokens: number): void {
    if (!this.#isCleared) {
      this.#kernels.write(this.#scratch.rows, new Uint8Array(this.#hidden * Float32Array.BYTES_PER_ELEMENT));
      this.#isCleared = true;
    }
    this.#modelNorm.forward(this.#x, tokens, f32At(this.#states));
    this.#normStates(this.#states, tokens);
  }

  /** Keeps the state of a token of that step, by its row in it, at a place from 1 to `STATE_PLACES`. */
  keep(row: number, place: number): void {
    this.#kernels.gatherRows(this.#states, this.#hidden, Uint32Array.of(row), this.#rowAt(place));
  }

  /**
   * Computes the tokens of the batch set last; `before`: of each the row of the state before it. Gives false where `interrupted` said
   * true, which is asked before each part.
   */
  forward(ids: Uint32Array, before: ArrayLike<number>, interrupted?: () => boolean): boolean {
    const kernels = this.#kernels, { rows, pairs, stream } = this.#scratch;
    this.#embedding.forward(ids, this.#embeddings);
    const { eps } = this.#spec.tokenNorm;
    kernels.rmsNorm(this.#embeddings, this.#tokenNorm, ids.length, eps, f32At(this.#embeddings));
    const index = new Uint32Array(2 * ids.length);
    for (let i = 0; i < ids.length; i++) {
      index[2 * i] = this.#embeddingsFirst + i;
      index[2 * i + 1] = before[i];
    }
    kernels.gatherRows(rows, this.#hidden, index, pairs);
    this.#input.forward(ids.length);
    kernels.matmul(this.#input.activation, ids.length, false, this.#project, undefined, stream);
    for (const layer of this.#layers) {
      if (interrupted?.()) return false;
      layer.forward(ids.length);
    }
    return true;
  }

  /** Logits behind the only token computed last, a region of [vocab] f32; its state is at `OWN_STATE` from now on. */
  logits(): Region {
    const own = this.#rowAt(OWN_STATE);
    this.#ownNorm.forward(this.#scratch.stream, 1, f32At(own));
    this.#normStates(own, 1);
    return this.#head.forward(Uint32Array.of(0));
  }

  #normStates(rows: Region, count: number): void {
    this.#kernels.rmsNorm(rows, this.#stateNorm, count, this.#spec.stateNorm.eps, f32At(rows));
  }

  #rowAt(place: number): Region {
    return this.#scratch.rows + place * this.#hidden / ROW_STEP;
  }
}
