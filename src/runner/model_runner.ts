import { BatchBuffer, BLOCK_TOKENS, type SequenceSlice, sizeOf } from "./batch.ts";
import { type Arena, KernelError, Kernels, type Region, type States } from "../ffi/context.ts";
import type { KvBlocks } from "../ffi/kv_blocks.ts";
import { machineInfo } from "../ffi/machine.ts";
import { activationForms, limits, structs } from "../ffi/symbols.ts";
import { formatTypeId } from "../gguf/mod.ts";
import { Decoder } from "../layers/decoder.ts";
import { memoryBytes } from "../layers/formats.ts";
import { RopeTables } from "../layers/rope_table.ts";
import { planScratch } from "../layers/scratch.ts";
import { cacheLayersOf } from "../layers/state_shape.ts";
import { WorkspacePlan } from "../layers/workspace.ts";
import { separateFile } from "../models/fused.ts";
import { type CheckedModel, checkModel } from "../models/check.ts";
import { withoutIgnored } from "../models/compose.ts";
import type { ComputeOptions } from "../protocol/engine_options.ts";
import type { ModelFamily } from "../models/family.ts";
import type { Hyperparameters } from "../models/hyperparameters.ts";
import { type ModelFile, type SharedWeights, TensorLoader } from "../models/loading.ts";
import { listenToProducts, type ProductListener } from "./product_inputs.ts";
import { kvSlotBytes, kvTokenBytes, type MemoryLeft, resolveSizes, type RunnerSizes } from "./sizes.ts";
import { GREEDY, SampleBatch, type SampledToken, type SampleRequest } from "./sample_batch.ts";
import { StepPredictor } from "./step_predictor.ts";

/** What a runner is given beside the file. All optional. */
export interface RunnerOptions extends ComputeOptions {
  /**
   * Shared memory whose first word ends steps early, in the middle of an op, when another thread changes it:
   * {@linkcode ModelRunner.forward}.
   */
  interrupts?: Int32Array;
  /**
   * Matrices that another runner of this process has loaded from the same file, perhaps in another worker:
   * {@linkcode ModelRunner.sharedWeights}. What is not named there is read from the file.
   */
  shareFrom?: SharedWeights;
  /**
   * Told the number of the native context as soon as there is one, so that {@linkcode freeContext} can free it should this
   * thread end without closing the runner.
   */
  onContext?: (id: number) => void;
  /**
   * Called before a matrix is multiplied, with what it multiplies. Takes time and memory that a runner
   * without it does not.
   */
  onProduct?: ProductListener;
  progress?: (doneBytes: number, totalBytes: number) => void;
  /** Stops loading; everything that was allocated is freed. */
  signal?: AbortSignal;
  /** What computes the file, in place of the family that it names. */
  family?: ModelFamily;
  /** What a check of the file gave, with its predictor or without; default: it is checked. */
  checked?: CheckedModel;
  /** Whether its predictor is loaded, if it has one: {@linkcode ModelRunner.predictor}. Default: no. */
  predicts?: boolean;
}

/**
 * A model in memory that computes steps: the one place where batches meet kernels. It blocks the thread that calls
 * it. Sequences, scheduling and text are the engine's.
 */
export class ModelRunner implements Disposable {
  readonly kernels: Kernels;
  readonly hyperparameters: Hyperparameters;
  /** Longest sequence in tokens. */
  readonly contextLength: number;
  /** Tokens that the KV cache holds, a multiple of the block. */
  readonly kvTokens: number;
  /** Bytes of keys and values per token, over all layers. */
  readonly kvBytesPerToken: number;
  readonly batchTokensMax: number;
  readonly logitsRowsMax: number;
  /** Who has which block of the KV cache. */
  readonly kvBlocks: KvBlocks;
  /** The memory of the KV cache. */
  readonly kvArena: Arena;
  /** How far back queries see in each group of layers that has KV blocks of its own; undefined: to the first token. */
  readonly kvWindows: readonly (number | undefined)[];
  /** Bytes that a token's place in a KV block takes: its keys and values in the layers of one group. */
  readonly kvBytesPerSlot: number;
  /** Bytes of the state that layers keep of each sequence; 0: they keep none. */
  readonly stateBytes: number;
  /** Blocks of the KV cache whose memory such a state takes, out of one budget. */
  readonly stateBlocks: number;
  /** Places for such states. */
  readonly stateSlots: number;
  /** Their memory; undefined where there are none. */
  readonly states: States | undefined;
  /** What guesses further tokens; undefined where the file has nothing for it, or it was not wanted. */
  readonly predictor: StepPredictor | undefined;
  readonly #decoder: Decoder;
  readonly #ropes: RopeTables;
  readonly #batch: BatchBuffer;
  readonly #samples: SampleBatch;
  readonly #rowIndices: Uint32Array;
  readonly #matrices: SharedWeights;
  readonly #interrupts: Int32Array | undefined;
  #logits: Region = 0;
  #rows = 0;

  /** Use {@linkcode loadModelRunner}. */
  constructor(
    { kernels, hyperparameters: h, sizes, decoder, arena, states, ropes, matrices, interrupts }: RunnerParts,
  ) {
    this.kernels = kernels;
    this.hyperparameters = h;
    this.contextLength = sizes.contextLength;
    this.kvTokens = sizes.kvTokens;
    this.kvBytesPerToken = kvTokenBytes(h, sizes.kvFormat);
    this.batchTokensMax = sizes.batchTokensMax;
    this.logitsRowsMax = sizes.logitsRowsMax;
    this.#decoder = decoder;
    this.#ropes = ropes;
    this.#matrices = matrices;
    this.#interrupts = interrupts;
    this.kvArena = arena;
    this.states = states;
    this.stateBytes = sizes.stateBytes;
    this.stateBlocks = sizes.stateBlocks;
    this.stateSlots = sizes.stateSlots;
    this.kvWindows = sizes.kvGroups.windows;
    this.kvBytesPerSlot = kvSlotBytes(h, sizes.kvFormat);
    this.kvBlocks = kernels.createKvBlocks(sizes.kvSlots / BLOCK_TOKENS);
    const groups = this.kvWindows.length, { batchTokensMax, kvGroups } = sizes;
    this.#batch = new BatchBuffer(batchTokensMax, groups);
    const { vocab } = h, group = kvGroups.groupOf.at(-1)!;
    this.predictor = decoder.predictor &&
      new StepPredictor({
        kernels,
        arena,
        ropes,
        predictor: decoder.predictor,
        batchTokensMax,
        groups,
        group,
        vocab,
      });
    this.#samples = new SampleBatch(sizes.logitsRowsMax);
    this.#rowIndices = new Uint32Array(sizes.logitsRowsMax);
  }

  /**
   * Computes one step: appends the slices' keys and values to the cache and leaves their hidden states for
   * {@linkcode ModelRunner.logits}. Gives false where it was interrupted; the step may then be repeated, if none of its sequences has a
   * state that it reads and writes in one place.
   *
   * Without `interrupted` it runs to its end. `interrupted` is asked between ops and ends the step with true. With
   * {@linkcode RunnerOptions.interrupts} ops end early too once that word is no longer `expected`, by default its value
   * at this call (null: ops run to their end); then `interrupted` is called once more, whatever it says.
   */
  forward(
    slices: readonly SequenceSlice[],
    interrupted?: () => boolean,
    expected: number | null = this.#interrupts === undefined ? null : Atomics.load(this.#interrupts, 0),
  ): boolean {
    const { ids, descriptor } = this.#batch.encode(slices);
    this.kernels.setBatch(this.kvArena, descriptor);
    if (this.states !== undefined) this.kernels.setStates(this.states, this.#batch.encodeStates(slices));
    this.#ropes.reach(slices.reduce((end, slice) => Math.max(end, slice.first + sizeOf(slice)), 0));
    this.#rows = 0;
    const step = () =>
      this.#decoder.forward(ids, interrupted) && (this.predictor?.follow(slices, interrupted) ?? true);
    if (interrupted === undefined || expected === null) return step();
    try {
      return this.kernels.interruptible(expected, step);
    } catch (error) {
      if (!(error instanceof KernelError) || error.status !== "interrupted") throw error;
      interrupted();
      return false;
    }
  }

  /** Runs `ops`, which compute a step, with the calling thread on the processor that the others leave to it. */
  staying<T>(ops: () => T): T {
    return this.kernels.staying(ops);
  }

  /** Computes the logits of the tokens at these indices of the last step, in the order of its slices. */
  logits(indices: ArrayLike<number>): void {
    if (indices.length < 1 || indices.length > this.logitsRowsMax) {
      throw new RangeError(
        `Logits of 1 to ${this.logitsRowsMax} tokens at a time, current count is ${indices.length}`,
      );
    }
    const rows = this.#rowIndices.subarray(0, indices.length);
    rows.set(indices);
    this.#logits = this.#decoder.logits(rows);
    this.#rows = rows.length;
  }

  /**
   * The hidden states after the last norm of the tokens at indices `first` to `first + count − 1` of the last step, in the order
   * of its slices: [count, hidden] f32, row-major.
   */
  hidden(first: number, count: number): Float32Array {
    const size = this.hyperparameters.hidden;
    const values = new Float32Array(count * size);
    for (let done = 0; done < count; done += this.logitsRowsMax) {
      const rows = this.#rowIndices.subarray(0, Math.min(this.logitsRowsMax, count - done));
      for (let i = 0; i < rows.length; i++) rows[i] = first + done + i;
      const part = values.subarray(done * size, (done + rows.length) * size);
      this.kernels.read(
        this.#decoder.hidden(rows),
        new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
      );
    }
    return values;
  }

  /** Chooses a token for each of so many rows, from row `rowFirst` on, of the logits computed last. */
  sample(requests: readonly SampleRequest[], rowFirst = 0): SampledToken[] {
    if (rowFirst + requests.length > this.#rows) this.#expectRows(rowFirst + requests.length);
    const { vocab } = this.hyperparameters;
    // Regions begin at whole units: where a row does not, those before it are looked at, too.
    const before = rowFirst % (REGION_FLOATS / Math.min(vocab & -vocab, REGION_FLOATS));
    const all = before === 0 ? requests : [...Array<SampleRequest>(before).fill(NO_CHOICE), ...requests];
    const { params, data, out } = this.#samples.encode(all);
    const logits = this.#logits + (rowFirst - before) * vocab / REGION_FLOATS;
    this.kernels.sample(logits, vocab, all.length, params, data, out);
    return this.#samples.decode(all.length).slice(before);
  }

  /** The log-probability and place of one target token for each row of the logits computed last, and the likeliest token. */
  score(targets: Uint32Array): ScoredToken[] {
    this.#expectRows(targets.length);
    const words = new Uint32Array(targets.length * SCORE_WORDS);
    const floats = new Float32Array(words.buffer);
    const out = new Uint8Array(words.buffer);
    this.kernels.score(this.#logits, this.hyperparameters.vocab, targets.length, targets, out);
    return Array.from(targets, (_, row) => ({
      logprob: floats[row * SCORE_WORDS],
      best: words[row * SCORE_WORDS + 1],
      bestLogprob: floats[row * SCORE_WORDS + 2],
      rank: words[row * SCORE_WORDS + 3],
    }));
  }

  /** Copies the logits computed last: [rows, vocab] row-major. */
  readLogits(): Float32Array {
    const values = new Float32Array(this.#rows * this.hyperparameters.vocab);
    this.kernels.read(this.#logits, new Uint8Array(values.buffer));
    return values;
  }

  /**
   * The matrices by tensor name, for {@linkcode RunnerOptions.shareFrom} in any thread of this process. They stay in memory
   * until every runner that uses them is closed.
   */
  sharedWeights(): Record<string, number> {
    return { ...this.#matrices };
  }

  #expectRows(rows: number): void {
    if (rows !== this.#rows) {
      throw new RangeError(`The last logits have ${this.#rows} rows, current count is ${rows}`);
    }
  }

  /** Stops the threads and frees the model. */
  close(): void {
    this.kernels.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Log-probabilities in the raw logits of one row. */
export interface ScoredToken {
  logprob: number;
  best: number;
  bestLogprob: number;
  /** Place among all tokens, the likeliest is 1. */
  rank: number;
}

/** Floats in a unit of regions. */
const REGION_FLOATS = limits.unitBytes / Float32Array.BYTES_PER_ELEMENT;
const NO_CHOICE: SampleRequest = { params: GREEDY, tokens: [] };

const SCORE_WORDS = structs.ScoreResult.bytes / Uint32Array.BYTES_PER_ELEMENT;

/** What {@linkcode loadModelRunner} makes a runner of. */
interface RunnerParts {
  kernels: Kernels;
  hyperparameters: Hyperparameters;
  sizes: RunnerSizes;
  decoder: Decoder;
  arena: Arena;
  states?: States;
  ropes: RopeTables;
  matrices: SharedWeights;
  interrupts?: Int32Array;
}

/**
 * Reads the model into memory. The file is checked completely before anything is allocated; a load that fails or is
 * aborted frees what it had allocated. Throws ModelError, GgufError, RangeError for options, or the signal's reason.
 */
export async function loadModelRunner(file: ModelFile, options: RunnerOptions = {}): Promise<ModelRunner> {
  options.signal?.throwIfAborted();
  const model = options.checked ?? checkModel(file, options.family, options.predicts);
  const { hyperparameters: h, decoder: spec } = model;
  const separate = separateFile(file, model.fusions, (...blocks) => kernels.dequantize(...blocks));
  const parts = { ...separate, tensors: withoutIgnored(separate.tensors, model) };
  const sizes = resolveSizes(h, options, memoryLeft(parts, options));
  const { cpus, numaNode, isa, libraryPath, kv = {}, interrupts } = options;
  const threads = options.threads ?? (cpus === undefined ? defaultThreads(file) : undefined);
  const kernels = Kernels.open({ threads, cpus, numaNode, isa, libraryPath, interrupts, workspaceBytes: 64 });
  try {
    options.onContext?.(kernels.id);
    const loader = new TensorLoader(kernels, parts, options.shareFrom);
    const plan = new WorkspacePlan();
    const { onProduct } = options;
    const also = onProduct === undefined ? 0 : activationForms.f32;
    const scratch = planScratch(kernels, plan, h, sizes.batchTokensMax, sizes.logitsRowsMax, also);
    const ropes = new RopeTables(kernels, sizes.contextLength);
    const arena = kernels.createArena({
      layers: cacheLayersOf(h).map((layer, i) => ({ ...layer, group: sizes.kvGroups.groupOf[i] })),
      slots: sizes.kvSlots,
      format: formatTypeId(sizes.kvFormat),
    });
    if (kv.hugePages !== undefined) arena.preferHugePages(kv.hugePages);
    const states = sizes.stateSlots === 0
      ? undefined
      : kernels.createStates(sizes.stateSlots, sizes.stateBytes);
    const decoder = new Decoder({ kernels, scratch, ropes, arena, states, tensors: loader }, spec);
    kernels.resizeWorkspace(plan.bytes);
    await loader.stream({ progress: options.progress, checkpoint: () => takeTurn(options.signal) });
    if (kv.prefault === true) {
      await prefault(arena, sizes.kvSlots * kvSlotBytes(h, sizes.kvFormat), options);
    }
    const matrices = loader.sharedWeights();
    if (onProduct !== undefined) listenToProducts(kernels, matrices, onProduct);
    return new ModelRunner({
      kernels,
      hyperparameters: h,
      sizes,
      decoder,
      arena,
      states,
      ropes,
      matrices,
      interrupts,
    });
  } catch (error) {
    kernels.close();
    throw error;
  }
}

/**
 * From here on a team decodes faster than one thread. Measured with two cores: with 6 MB of weights 1.6 times as fast,
 * with 3 MB 1.2 times while the machine is idle, and slower as soon as others want a core too.
 */
const TEAM_PAYS_FROM_BYTES = 4 << 20;

/** Undefined: as many as the kernels think right. */
function defaultThreads(file: ModelFile): number | undefined {
  return weightBytes(file) < TEAM_PAYS_FROM_BYTES ? 1 : undefined;
}

/** Bytes that the file's tensors take in memory, without those that are shared. */
function weightBytes(file: ModelFile, shared: SharedWeights = {}): number {
  return file.tensors.entries().reduce(
    (sum, [name, { type, dims }]) => Object.hasOwn(shared, name) ? sum : sum + memoryBytes(type, dims),
    0,
  );
}

/** What the sizes have to fit into; undefined where nobody knows or it shall not matter. */
function memoryLeft(file: ModelFile, options: RunnerOptions): MemoryLeft | undefined {
  const { availableBytes } = machineInfo(options.libraryPath);
  if (options.kv?.overcommit === true || availableBytes === undefined) return undefined;
  return {
    availableBytes,
    weightBytes: weightBytes(file, options.shareFrom),
    sharers: options.memorySharers ?? 1,
  };
}

/** Memory committed between two turns of the event loop: some tens of ms. */
const PREFAULT_MIB = 128;

async function prefault(arena: Arena, bytes: number, { signal }: RunnerOptions): Promise<void> {
  for (let mib = 0; mib * 2 ** 20 < bytes; mib += PREFAULT_MIB) {
    arena.prefault(mib, PREFAULT_MIB);
    await takeTurn(signal);
  }
}

/** Lets messages in, an abort among them. */
async function takeTurn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}
