/** A model's predictor beside its steps: it follows the sequences whose guesses somebody may want. @module */

import type { Arena, Kernels, Region } from "../ffi/context.ts";
import type { Predictor } from "../layers/predictor.ts";
import type { RopeTables } from "../layers/rope_table.ts";
import { NO_STATE, OWN_STATE, STATE_PLACES, STATES_FIRST } from "../layers/scratch.ts";
import { BatchBuffer, type SequenceSlice, sizeOf } from "./batch.ts";
import { SampleBatch, type SampleRequest } from "./sample_batch.ts";

export { NO_STATE, OWN_STATE, STATE_PLACES };

/** What it shares with the runner. */
export interface PredictorParts {
  readonly kernels: Kernels;
  readonly arena: Arena;
  readonly predictor: Predictor;
  readonly ropes: RopeTables;
  readonly batchTokensMax: number;
  /** Groups of layers that have KV blocks of their own, and the one that its layer is in. */
  readonly groups: number;
  readonly group: number;
  readonly vocab: number;
}

/**
 * Computes the predictor's keys and values of the slices that have a `state`, and guesses behind them. A guess of token n + 1 takes
 * token n and the state behind the tokens before it, which the step that chose token n has computed.
 */
export class StepPredictor {
  /** The group of layers in whose KV blocks its keys and values lie. */
  readonly group: number;
  readonly #parts: PredictorParts;
  readonly #batch: BatchBuffer;
  readonly #samples = new SampleBatch(1);
  #logits: Region = 0;

  constructor(parts: PredictorParts) {
    this.group = parts.group;
    this.#parts = parts;
    this.#batch = new BatchBuffer(parts.batchTokensMax, parts.groups);
  }

  /** Follows a step of the model that has just been computed. False where it was interrupted. */
  follow(slices: readonly SequenceSlice[], interrupted?: () => boolean): boolean {
    const followed: SequenceSlice[] = [], before: number[] = [];
    let row = STATES_FIRST;
    for (const slice of slices) {
      const size = sizeOf(slice);
      if (slice.before !== undefined) {
        followed.push(slice);
        before.push(slice.before);
        for (let i = 1; i < size; i++) before.push(row + i - 1);
      }
      row += size;
    }
    if (followed.length === 0) return true;
    this.#parts.predictor.takeStates(row - STATES_FIRST);
    return this.#compute(followed, before, interrupted);
  }

  /** Keeps the state behind a token of that step, by its row in it, for the next step of its sequence. */
  keep(row: number, place: number): void {
    this.#parts.predictor.keep(row, place);
  }

  /**
   * What comes behind a slice of one token. `before`: where the state before it is, {@linkcode OWN_STATE} where its token was the
   * last guess. Nothing else may be wanted of the last step any more, its states apart. Gives a number that is no token where
   * logits are no numbers.
   */
  guess(slice: SequenceSlice & { readonly before: number }, request: SampleRequest): number {
    const { kernels, predictor, ropes, vocab } = this.#parts;
    ropes.reach(slice.first + sizeOf(slice));
    this.#compute([slice], [slice.before]);
    const { params, data, out } = this.#samples.encode([request]);
    this.#logits = predictor.logits();
    kernels.sample(this.#logits, vocab, 1, params, data, out);
    return this.#samples.decode(1)[0].id;
  }

  /** Copies the logits of the last guess: [vocab] f32. */
  readLogits(): Float32Array {
    const { kernels, vocab } = this.#parts;
    const values = new Float32Array(vocab);
    kernels.read(this.#logits, new Uint8Array(values.buffer));
    return values;
  }

  #compute(
    slices: readonly SequenceSlice[],
    before: readonly number[],
    interrupted?: () => boolean,
  ): boolean {
    const { kernels, arena, predictor } = this.#parts;
    const { ids, descriptor } = this.#batch.encode(slices);
    kernels.setBatch(arena, descriptor);
    return predictor.forward(ids, before, interrupted);
  }
}
