import type { LatencyClass } from "../../scheduler/mod.ts";
import { parseCpuList } from "../cpu_list.ts";
import type { KvFormat } from "../gguf/mod.ts";
import type { KvOptions } from "../model_runner.ts";
import { planWorkers } from "../plan_workers.ts";
import { EngineClient, type Health, type ModelStats } from "./client.ts";
import type { Generation } from "./generation.ts";
import {
  checkDimensions,
  embedAll,
  type Embeddings,
  type EmbedInput,
  type EmbedOptions,
  toTexts,
} from "./embedding.ts";
import {
  type ChatOptions,
  type GenerationOptions,
  type RequestKind,
  resolveRequest,
} from "./generation_options.ts";
import { type LayoutOptions, layoutWorkers } from "./layout.ts";
import { locateModel } from "./locate_model.ts";
import type { ChatMessage, ModelInfo, Pooling, Prompt } from "./protocol.ts";
import { WorkerTransport } from "./transport.ts";

/** How far loading has come. */
export interface LoadProgress {
  /** First the file is fetched, if it is not here; then its tensors are read. */
  phase: "download" | "load";
  doneBytes: number;
  totalBytes: number;
}

/** How a model is loaded. All optional. */
export interface LoadOptions extends LayoutOptions {
  /** Threads of the kernels in each worker; default: its share of the cores this process may use, or 1 for a model of a few MB. */
  threads?: number;
  /**
   * Whether workers share one copy of the weights: true, the default, for one copy in each NUMA node, "all" for a single one,
   * false for one in each worker.
   */
  shareWeights?: boolean | "all";
  /** An instruction set level by name; default: the best that this CPU has. */
  isa?: string;
  /** Longest sequence in tokens, prompt and answer together; default: the model's own, at most 4096. */
  contextLength?: number;
  /** Tokens that the KV cache holds for all requests together; default: twice the context, once where memory is short. */
  kvTokens?: number;
  /** How keys and values are stored; default f16. */
  kvFormat?: KvFormat;
  /** How the KV cache uses memory. */
  kv?: KvOptions;
  /** Most requests computed together by a worker; the others wait. Default 32. */
  sequencesMax?: number;
  /** The latency classes that requests may name; default: "interactive" and "batch", which refuse nothing for its time. */
  classes?: readonly LatencyClass[];
  /** The oldest request of a class goes first after this many ms. */
  ageingMs?: number;
  /** Whether prompts that begin alike share what was computed for them; default true. */
  prefixCache?: boolean;
  /** Most tokens computed in one step; default 512. */
  batchTokensMax?: number;
  /** The kernel library; default: the one that this checkout built. */
  libraryPath?: string;
  /**
   * Called when a worker is stuck in native code, where no thread can be stopped: its requests go on with another worker or
   * fail, and only the end of the process gets rid of it. Default: nothing.
   */
  onStuck?: (reason: string) => void;
  /** Called as loading goes on. */
  progress?: (progress: LoadProgress) => void;
  /** Stops loading: the promise rejects with the signal's reason, and what was allocated is freed. */
  signal?: AbortSignal;
}

/**
 * Loads a model into workers of its own and gives a handle to it. `model`: a path to a GGUF file,
 * `hf:owner/repo/file.gguf` to download one, or "demo" for the bundled toy.
 *
 * ```ts ignore
 * await using model = await loadModel("hf:owner/repo/file.gguf", {
 *   contextLength: 4096,
 *   progress: ({ phase, doneBytes, totalBytes }) => console.error(phase, doneBytes / totalBytes),
 * });
 * ```
 *
 * The model stays in memory until `close()`, or the end of an `await using` block. Throws GgufError, ModelError or
 * TokenizerError for a file that cannot be used, RangeError for options, the signal's reason.
 */
export async function loadModel(model: string | URL, options: LoadOptions = {}): Promise<Model> {
  const { progress, signal, workers, threads, cpus: cpuList, shareWeights, onStuck, ...engine } = options;
  const cpus = typeof cpuList === "string" ? parseCpuList(cpuList) : cpuList;
  signal?.throwIfAborted();
  const path = await locateModel(model, {
    signal,
    progress: (doneBytes, totalBytes) => progress?.({ phase: "download", doneBytes, totalBytes }),
  });
  const client = await EngineClient.start(
    (worker) => new WorkerTransport(undefined, `kumi engine ${worker}`),
    {
      path,
      engine,
      workers: layoutWorkers({ workers, threads, cpus }, planWorkers),
      shareWeights,
      onStuck,
      signal,
      progress: (doneBytes, totalBytes) => progress?.({ phase: "load", doneBytes, totalBytes }),
    },
  );
  return new Model(client);
}

/** A loaded model. Requests may run at the same time: they are computed together. */
export class Model implements AsyncDisposable {
  readonly #client: EngineClient;

  /** Use {@linkcode loadModel}. */
  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** What was loaded. */
  get info(): ModelInfo {
    return this.#client.info;
  }

  /**
   * Continues a text, or a list of tokens, without a chat template.
   *
   * ```ts ignore
   * const { text } = await model.generate("Once upon a time", { maxTokens: 50 }).result;
   * ```
   *
   * Throws a RangeError for options out of range. A prompt that does not fit rejects in the returned generation.
   */
  generate(prompt: string | readonly number[], options: GenerationOptions = {}): Generation {
    return this.#start(typeof prompt === "string" ? { text: prompt } : { tokens: [...prompt] }, options);
  }

  /**
   * Answers a conversation, written in the model's own chat template. What users write never becomes a control token.
   *
   * ```ts ignore
   * for await (const part of model.chat([{ role: "user", content: "Hi" }])) console.log(part);
   * ```
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): Generation {
    const copies = messages.map((message) => ({ ...message }));
    return this.#start({ messages: copies, enableThinking: options.enableThinking }, options);
  }

  /**
   * Embeds texts, or lists of tokens: a vector of length 1 for each, made of the model's hidden states after the last norm. A text's
   * vector has the same bits however many others are computed with it.
   *
   * ```ts ignore
   * const { embeddings: [a, b] } = await model.embed(["a dog", "a cat"]);
   * const similarity = a.reduce((sum, x, i) => sum + x * b[i], 0);
   * ```
   *
   * Rejects with a RangeError for options and texts that cannot be, a RefusedError, the signal's reason, or a DOMException
   * "TimeoutError" when the deadline has passed.
   */
  async embed(input: EmbedInput, options: EmbedOptions = {}): Promise<Embeddings> {
    const texts = toTexts(input);
    checkDimensions(options.dimensions, this.info.hidden);
    const { pooling = "mean", dimensions: _, ...rest } = options;
    return await embedAll(
      texts,
      (text, signal) => this.startEmbedding(text, { ...rest, pooling, signal }),
      options,
    );
  }

  /** One embedding on its way; its result has it unless it ended before. For servers, which watch requests. */
  startEmbedding(text: Prompt, options: GenerationOptions & { pooling: Pooling }): Generation {
    return this.#start(text, options);
  }

  #start(prompt: Prompt, options: GenerationOptions & RequestKind): Generation {
    const request = resolveRequest(prompt, options, this.info.vocab);
    const { signal, onAccepted, onTokens, onPart } = options;
    return this.#client.generate(request, signal, { onAccepted, onTokens, onPart });
  }

  /** Token ids of a text; `addSpecial` (default true) adds BOS where the model wants it. */
  tokenize(text: string, options: { addSpecial?: boolean; parseSpecial?: boolean } = {}): Promise<number[]> {
    const { addSpecial = true, parseSpecial = false } = options;
    return this.#client.tokenize(text, { addSpecial, parseSpecial });
  }

  /** The text of tokens; `special` (default false) writes control tokens too. */
  detokenize(tokens: readonly number[], options: { special?: boolean } = {}): Promise<string> {
    return this.#client.detokenize([...tokens], options.special ?? false);
  }

  /** Figures of this moment: of each worker, and of those that were replaced. Workers answer between two steps. */
  stats(): Promise<ModelStats> {
    return this.#client.stats();
  }

  /** Whether requests can be served, and the state of each worker. Waits for none of them. */
  health(): Health {
    return this.#client.health();
  }

  /** Ends all requests, frees the model and waits until its workers are gone. */
  close(): Promise<void> {
    return this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
