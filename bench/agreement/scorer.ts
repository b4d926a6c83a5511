/** Whom kumi's answers are compared with. @module */

import { LineProcess } from "../../src/cli/bench/peer/line_process.ts";
import type { PeerContextOptions, PeerScore } from "../../src/cli/bench/peer/peer.ts";

/** Another program that computes the same files. */
export interface Scorer extends AsyncDisposable {
  /** Loads a GGUF file in place of the last one. */
  load(file: string): Promise<string>;
  open(options: PeerContextOptions): Promise<void>;
  /** What it thinks of each next token. */
  score(tokens: readonly number[]): Promise<PeerScore>;
}

/** PyTorch's transformers in float32, for files of Qwen 3.5 and gpt-oss in F32; `python` has torch, transformers and gguf. */
export class TransformersScorer implements Scorer {
  readonly #process: LineProcess;

  constructor(python: string) {
    const script = `${import.meta.dirname}/transformers_scorer.py`;
    this.#process = new LineProcess({ name: "transformers", command: python, args: [script] });
  }

  async load(file: string): Promise<string> {
    return (await this.#process.call<{ system: string }>({ cmd: "load", file })).system;
  }

  /** It has one way to compute. */
  async open(): Promise<void> {}

  score(tokens: readonly number[]): Promise<PeerScore> {
    return this.#process.call({ cmd: "score", tokens });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
