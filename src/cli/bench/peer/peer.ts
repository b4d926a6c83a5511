/**
 * A measuring partner: a process that speaks the line protocol of `programs/llamacpp.mjs`. For benchmarks;
 * nothing else in the product loads it.
 * @module
 */

import { linkBuilt } from "./built.ts";
import { PeerError } from "./error.ts";
import { installed, pythonCommand } from "./install.ts";
import { LineProcess } from "./line_process.ts";
import { LLAMA_CPP, type PeerMode, type PeerProgram } from "./programs.ts";
import { peerVariant } from "./variant.ts";

/** A context of the peer. */
export interface PeerContextOptions {
  readonly threads: number;
  /** Positions of each sequence. */
  readonly context: number;
  /** Sequences that are decoded together; default 1. */
  readonly sequences?: number;
  /** Default: flash attention off, weights as the file has them. */
  readonly mode?: Pick<PeerMode, "flash" | "repack">;
  /** Type of the KV cache as kumi calls it; default f16. */
  readonly kv?: string;
}

const PLAIN = { flash: false, repack: false };

/** Which program is started. */
export interface PeerStartOptions {
  /** Default: llama.cpp. */
  readonly program?: PeerProgram;
  /** llama.cpp's build for this processor family instead of the best one. */
  readonly variant?: string;
  /** Folder of a checkout that somebody has built. */
  readonly checkout?: string;
}

/** What the peer thinks of each next token. */
export interface PeerScore {
  readonly greedy: number[];
  readonly greedyLogprob: number[];
  readonly logprob: number[];
}

/**
 * One process of a peer; `await using` ends it. Every method throws LineProcessError for what the process
 * reports.
 */
export class Peer implements AsyncDisposable {
  readonly #process: LineProcess;
  /** The context that is open, as it was asked for. */
  #opened = "";
  /** Tokens that sequence 0 has in the cache. */
  #held: readonly number[] = [];

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  /** Installs the program on first use (needs its registry; PeerError), then starts the process. */
  static async start({ program = LLAMA_CPP, variant, checkout }: PeerStartOptions = {}): Promise<Peer> {
    if (import.meta.dirname === undefined) {
      throw new PeerError(
        "--peer starts a program that JSR's package cannot hold: use kumi from npm or a checkout",
      );
    }
    const programs = `${import.meta.dirname}/programs`;
    const runtime = program.isPython ? [...pythonCommand(), "-B"] : ["node"];
    const folder = checkout === undefined
      ? await installed(program)
      : await linkBuilt(checkout, `${programs}/ik_peer.c`);
    const home = variant === undefined ? folder : await peerVariant(folder, variant);
    const [command, ...args] = [...runtime, `${programs}/${program.script}`, home];
    return new Peer(new LineProcess({ name: program.name, command, args, stderr: "null" }));
  }

  /** Loads a GGUF file in place of the last one. Resolves to what the library says of its own build. */
  async load(file: string): Promise<string> {
    this.#opened = "";
    return (await this.#process.call<{ system: string }>({ cmd: "load", file })).system;
  }

  /** Opens a context in place of the last one, unless that is the same; batches of 512 tokens. */
  async open(options: PeerContextOptions): Promise<void> {
    const { threads, context, sequences = 1, mode = PLAIN, kv = "f16" } = options;
    const { flash, repack } = mode;
    const wanted = { threads, context, sequences, flash, repack, kv: kv.toUpperCase() };
    if (this.#opened === JSON.stringify(wanted)) return;
    this.#opened = "";
    this.#held = [];
    await this.#process.call({ cmd: "open", ...wanted });
    this.#opened = JSON.stringify(wanted);
  }

  /** Puts these tokens into the cache of every sequence: computed once, as far as they are not there, then copied. */
  async fill(tokens: ArrayLike<number>): Promise<void> {
    const all = Array.from(tokens);
    const differs = all.findIndex((token, i) => token !== this.#held[i]);
    const first = differs < 0 ? all.length : differs;
    await this.#process.call({ cmd: "fill", first, tokens: all.slice(first) });
    this.#held = all;
  }

  /**
   * Seconds for computing these tokens of sequence 0 from position `first` on, with the last one's logits.
   */
  async prefill(tokens: ArrayLike<number>, first = 0): Promise<number> {
    return await this.#timed({ cmd: "prefill", first, tokens: Array.from(tokens) }, first, tokens);
  }

  /**
   * Seconds for a list of tokens per sequence, one of each a step, from position `first` on, with all logits.
   */
  async decode(tokens: readonly ArrayLike<number>[], first = 0): Promise<number> {
    const lists = tokens.map((list) => Array.from(list));
    return await this.#timed({ cmd: "decode", first, tokens: lists }, first, lists[0]);
  }

  async #timed(command: Record<string, unknown>, first: number, tokens: ArrayLike<number>): Promise<number> {
    const { seconds } = await this.#process.call<{ seconds: number }>(command);
    this.#held = [...this.#held.slice(0, first), ...Array.from(tokens)];
    return seconds;
  }

  /**
   * The greedy next token, its log-probability and the actual next token's, at each position but the last.
   */
  score(tokens: readonly number[]): Promise<PeerScore> {
    this.#held = [];
    return this.#process.call({ cmd: "score", tokens });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
