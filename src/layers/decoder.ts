import type { Region } from "../ffi/context.ts";
import type { Attention } from "./attention.ts";
import type { Embedding } from "./embedding.ts";
import type { FeedForward } from "./feed_forward.ts";
import type { OutputHead } from "./output_head.ts";

/** Attention, then feed-forward, each adding to the residual stream. */
export interface DecoderLayer {
  attention: Attention;
  feedForward: FeedForward;
}

/** A pre-norm decoder-only transformer, read from the top down: embedding, layers, output head. */
export class Decoder {
  readonly #embedding: Embedding;
  readonly #layers: readonly DecoderLayer[];
  readonly #head: OutputHead;
  readonly #x: Region;

  /** `x`: the residual stream that the layers share. */
  constructor(x: Region, embedding: Embedding, layers: readonly DecoderLayer[], head: OutputHead) {
    this.#x = x;
    this.#embedding = embedding;
    this.#layers = layers;
    this.#head = head;
  }

  /**
   * Computes the hidden states of the batch set last and appends its keys and values to the cache.
   * `interrupted` is asked twice a layer; once it says true the step ends early with false. An interrupted
   * step may be computed again: it writes the same keys and values to the same slots.
   */
  forward(ids: Uint32Array, interrupted?: () => boolean): boolean {
    this.#embedding.forward(ids, this.#x);
    for (const layer of this.#layers) {
      if (interrupted?.()) return false;
      layer.attention.forward(ids.length);
      if (interrupted?.()) return false;
      layer.feedForward.forward(ids.length);
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
