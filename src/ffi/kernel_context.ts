/** What kernels belong to: a library, a team of threads, objects. @module */

import { asBuffer } from "./buffers.ts";
import { workspaceUnits } from "./create_context.ts";
import { createArena, createRope, createStates, createVector, createWeights } from "./create_objects.ts";
import { check } from "./errors.ts";
import {
  createGrammar,
  createVocabulary,
  type Grammar,
  type TokenTable,
  type Vocabulary,
} from "./grammars.ts";
import { levelNames, supportedLevels } from "./isa.ts";
import { createKvBlocks, KvBlocks } from "./kv_blocks.ts";
import { type KernelSymbols, Library } from "./library.ts";
import { type Arena, type Owner, type Rope, type States, u32, type Vector, type Weights } from "./objects.ts";
import type { ArenaParams, RopeParams } from "./params.ts";
import { shareWeights } from "./share_weights.ts";
import { NumaState } from "./symbols.ts";

/** A thread team, a workspace, and the objects created through it; what is computed with them is {@linkcode Kernels}. */
export abstract class KernelContext implements Disposable {
  /** Name of the instruction set level in use. */
  readonly isa: string;
  /** Members of the thread team, the caller's thread included. */
  readonly threads: number;
  /** Whether its memory is on the node that was asked for; undefined where none was. False where the system refused. */
  readonly numaBound: boolean | undefined;
  /** Its number in the library, for {@linkcode freeContext}. */
  readonly id: number;
  readonly #library: Library;
  readonly #owner: Owner;
  /** The library has the address of this word: it must live as long as this object. */
  readonly #interrupts: Int32Array | undefined;
  #open: KernelSymbols | undefined;

  protected constructor(library: Library, id: number, interrupts?: Int32Array) {
    this.#library = library;
    this.#open = library.symbols;
    this.id = id;
    this.#interrupts = interrupts;
    this.#owner = { id, symbols: () => this.#open };
    const info = new Uint32Array(3);
    check(library.symbols.kumi_context_info(id, asBuffer(info), info.byteLength), "kumi_context_info");
    this.threads = info[0];
    this.isa = levelNames(library.symbols)[info[1]];
    this.numaBound = info[2] === NumaState.anywhere ? undefined : info[2] === NumaState.bound;
  }

  /** Names of the levels that this machine supports, best first. */
  static supportedIsas(libraryPath?: string): string[] {
    const library = Library.acquire(libraryPath);
    try {
      return supportedLevels(library.symbols);
    } finally {
      library.release();
    }
  }

  protected get native(): KernelSymbols {
    return this.#open ?? closed();
  }

  /** Joins the threads and frees every object created here. Further calls throw; closing twice is allowed. */
  close(): void {
    const native = this.#open;
    if (native === undefined) return;
    this.#open = undefined;
    try {
      check(native.kumi_context_stop(this.id), "close kernels");
    } finally {
      this.#library.release();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Runs `ops`, which end early with a KernelError of status "interrupted" once the first word of
   * {@linkcode KernelsOptions.interrupts} has another value than `expected`. Their results are incomplete then.
   */
  interruptible<T>(expected: number, ops: () => T): T {
    if (this.#interrupts === undefined) {
      throw new Error("Cannot interrupt kernels opened without a word for it");
    }
    check(this.native.kumi_context_arm(this.id, expected >>> 0), "arm the interruption");
    try {
      return ops();
    } finally {
      this.#open?.kumi_context_disarm(this.id);
    }
  }

  /**
   * Runs `ops` with the calling thread on the processor that the other threads leave to it. Only for what computes from its
   * beginning to its end: what waits may wait anywhere.
   */
  staying<T>(ops: () => T): T {
    check(this.native.kumi_context_stay(this.id), "stay on a processor");
    try {
      return ops();
    } finally {
      this.#open?.kumi_context_roam(this.id);
    }
  }

  /** Gives the workspace at least `bytes`; its contents are lost. */
  resizeWorkspace(bytes: number): void {
    check(this.native.kumi_workspace_resize(this.id, workspaceUnits(bytes)), "resize workspace", { bytes });
  }

  /** Bytes of an activation of n rows of k values in `forms`, a mask of {@linkcode activationForms}. */
  activationBytes(forms: number, n: number, k: number): number {
    const bytes = this.native.kumi_activation_bytes(u32(forms, "forms"), u32(n, "n"), u32(k, "k"));
    return check(bytes, "activation bytes", { forms, n, k });
  }

  /** The bytes of each token of a model; empty for those that are no text. */
  createVocabulary(tokens: TokenTable): Vocabulary {
    return createVocabulary(this.native, this.#owner, tokens);
  }

  /** A grammar, compiled to `words`, over a vocabulary; `ends` are the tokens that end an answer. */
  createGrammar(vocabulary: Vocabulary, words: Uint32Array<ArrayBuffer>, ends: readonly number[]): Grammar {
    return createGrammar(this.native, this.#owner, vocabulary, words, ends);
  }

  /** Room for a packed matrix [rows, k] in a weight format (type id), to be filled by {@linkcode Weights.load}. */
  createWeights(format: number, rows: number, k: number): Weights {
    return createWeights(this.native, this.#owner, format, rows, k);
  }

  /**
   * A handle to a filled matrix of this process by its {@linkcode Weights.id}, of any thread's kernels: one copy in memory,
   * which goes when the last handle or its kernels are closed. A shared matrix cannot be written any more.
   */
  shareWeights(id: number): Weights {
    return shareWeights(this.native, this.#owner, id);
  }

  /** A constant vector: a copy of `data`. */
  createVector(data: Float32Array): Vector {
    return createVector(this.native, this.#owner, data);
  }

  /** Tables of cosines and sines. */
  createRope(params: RopeParams): Rope {
    return createRope(this.native, this.#owner, params);
  }

  /** A KV cache: address space, of which memory is used when tokens are first written. */
  createArena(params: ArenaParams): Arena {
    return createArena(this.native, this.#owner, params);
  }

  /**
   * States of sequences: so many slots of `slotBytes`, a multiple of 64. Address space, of which memory is used when a state is
   * first written.
   */
  createStates(slots: number, slotBytes: number): States {
    return createStates(this.native, this.#owner, slots, slotBytes);
  }

  /** Hands out the blocks of a KV cache, all free at first. */
  createKvBlocks(blocks: number): KvBlocks {
    return new KvBlocks(this.#owner, createKvBlocks(this.#owner, blocks), blocks);
  }
}

function closed(): never {
  throw new Error("Cannot use kernels that were closed");
}
