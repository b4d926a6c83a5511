/** Sizes of a decoder and of its layers, in elements. No two layers need be alike. @module */

import type { RopeSettings } from "./rope_table.ts";

/** What one layer keeps of a token in the KV cache, and who sees it. */
export interface KvLayerShape {
  kvHeads: number;
  /** Elements of one key. */
  keyDim: number;
  /** Elements of one value. */
  valueDim: number;
  /** How many tokens a query sees, its own among them; undefined: all up to its own. */
  window?: number;
}

/** One decoder layer: attention and feed-forward. */
export interface LayerShape extends KvLayerShape {
  /** Query heads. */
  heads: number;
  ffn: number;
  rope: RopeSettings;
}

/** A whole decoder. */
export interface DecoderShape {
  hidden: number;
  vocab: number;
  /** In the order in which a token passes them. */
  layers: readonly LayerShape[];
}
