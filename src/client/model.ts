import type { LatencyClass } from "../../scheduler/mod.ts";
import { checkOptions, isBoolean, isSignal, isString, isTokens, wrongType } from "../protocol/arguments.ts";
import type { OverruleOptions } from "./overrule.ts";
import { parseCpuList } from "../ffi/cpu_list.ts";
import type { KvFormat } from "../gguf/mod.ts";
import type { KvOptions } from "../protocol/engine_options.ts";
import { planWorkers } from "./plan_workers.ts";
import { EngineClient, type Health, type ModelStats } from "./client.ts";
import type { Generation } from "./generation.ts";
import {
  checkDimensions,
  EMBED_CHECKS,
  embedAll,
  type Embeddings,
  type EmbedInput,
  type EmbedOptions,
  resolvePooling,
  toTexts,
} from "./embedding.ts";
import {
  CHAT_CHECKS,
  type ChatOptions,
  GENERATION_CHECKS,
  type GenerationOptions,
  isMessages,
  type RequestKind,
  resolveRequest,
  shapeOf,
} from "./generation_options.ts";
import { type LayoutOptions, layoutWorkers } from "./layout.ts";
import { LOAD_CHECKS } from "./load_checks.ts";
import { locateModel } from "./locate_model.ts";
import type { ModelInfo } from "../protocol/model_info.ts";
import type { ChatMessage, Pooling, Prompt } from "../protocol/request.ts";
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
  /**
   * Longest sequence in tokens, prompt and answer together; default: the model's own, or what the KV cache can hold of it where
   * `kvTokens` or the memory does not allow more: then the model's `info.notes` say so.
   */
  contextLength?: number;
  /**
   * Tokens that each worker's KV cache holds for all requests together; default: 16,384, or one context where
   * that is longer or memory is short. Memory is used as tokens come.
   */
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
  /** For measuring only: takes a share of the requests even where they would be refused. */
  overrule?: OverruleOptions;
  /** Called as loading goes on. */
  progress?: (progress: LoadProgress) => void;
  /** Called before a download waits so many ms for another attempt, or, with 0, for another process that downloads the file. */
  onWait?: (reason: string, ms: number) => void;
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
 * TokenizerError for a file that cannot be used, TypeError or RangeError for options, the signal's reason.
 */
export async function loadModel(model: string | URL, options: LoadOptions = {}): Promise<Model> {
  if (typeof model !== "string" && !(model instanceof URL)) {
    throw wrongType("model", "a path or a URL", model);
  }
  checkOptions("loadModel()", options, LOAD_CHECKS);
  const { progress, signal, workers, threads, cpus: cpuList, shareWeights, onStuck, onWait, ...others } =
    options;
  const { overrule, ...engine } = others;
  const cpus = typeof cpuList === "string" ? parseCpuList(cpuList) : cpuList;
  signal?.throwIfAborted();
  const path = await locateModel(model, {
    signal,
    onWait,
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
      overrule,
      signal,
      progress: (doneBytes, totalBytes) => progress?.({ phase: "load", doneBytes, totalBytes }),
    },
  );
  return new Model(client);
}

/** How a text becomes tokens. All optional. */
export interface TokenizeOptions {
  /** Begin as a prompt begins: with BOS where the model wants it. Default true. */
  addSpecial?: boolean;
  /** Read the texts of control tokens as these tokens. Default false. */
  parseSpecial?: boolean;
  signal?: AbortSignal;
}

/** How tokens become a text. All optional. */
export interface DetokenizeOptions {
  /** Write control tokens, too. Default false. */
  special?: boolean;
  signal?: AbortSignal;
}

/** What the promise gives, or the signal's reason as soon as it is aborted. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
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
   * Throws a TypeError or RangeError for arguments that cannot be. A prompt that does not fit rejects in the returned generation.
   */
  generate(prompt: string | readonly number[], options: GenerationOptions = {}): Generation {
    checkOptions("generate()", options, GENERATION_CHECKS);
    if (typeof prompt !== "string" && !Array.isArray(prompt) && !ArrayBuffer.isView(prompt)) {
      throw wrongType("prompt", "a text or a list of token ids", prompt);
    }
    if (typeof prompt !== "string") isTokens("prompt", prompt);
    return this.#start(typeof prompt === "string" ? { text: prompt } : { tokens: [...prompt] }, options);
  }

  /**
   * Answers a conversation, written in the model's own chat template. What users write never becomes a control token. Where the
   * last message is an assistant's, the answer goes on with it (see `continueFinalMessage`).
   *
   * ```ts ignore
   * for await (const part of model.chat([{ role: "user", content: "Hi" }])) console.log(part);
   * ```
   *
   * Throws a TypeError or RangeError for arguments that cannot be, roles among them.
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): Generation {
    checkOptions("chat()", options, CHAT_CHECKS);
    isMessages("messages", messages);
    const copies = messages.map((message) => ({ ...message }));
    return this.#start({ messages: copies, ...shapeOf(options) }, options);
  }

  /**
   * Embeds texts, or lists of tokens: a vector of length 1 for each, made of the model's hidden states after the last norm, as the
   * model's file says or `pooling`. A text's vector has the same bits however many others are computed with it.
   *
   * ```ts ignore
   * const { embeddings: [a, b] } = await model.embed(["a dog", "a cat"]);
   * const similarity = a.reduce((sum, x, i) => sum + x * b[i], 0);
   * ```
   *
   * Rejects with a ModelError where the file asks for a pooling that is not supported, a RangeError for options and texts that cannot be, a RefusedError, the signal's reason, or a DOMException
   * "TimeoutError" when the deadline has passed.
   */
  async embed(input: EmbedInput, options: EmbedOptions = {}): Promise<Embeddings> {
    checkOptions("embed()", options, EMBED_CHECKS);
    const texts = toTexts(input);
    checkDimensions(options.dimensions, this.info.hidden);
    const { pooling: asked, dimensions: _, ...rest } = options;
    const pooling = resolvePooling(asked, this.info.pooling);
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

  /** Token ids of a text. Rejects with a TypeError for arguments that cannot be, and the signal's reason. */
  async tokenize(text: string, options: TokenizeOptions = {}): Promise<number[]> {
    checkOptions("tokenize()", options, { addSpecial: isBoolean, parseSpecial: isBoolean, signal: isSignal });
    isString("text", text);
    const { addSpecial = true, parseSpecial = false, signal } = options;
    signal?.throwIfAborted();
    return await abortable(this.#client.tokenize(text, { addSpecial, parseSpecial }), signal);
  }

  /** The text of tokens. Rejects with a TypeError or RangeError for arguments that cannot be, and the signal's reason. */
  async detokenize(tokens: readonly number[], options: DetokenizeOptions = {}): Promise<string> {
    checkOptions("detokenize()", options, { special: isBoolean, signal: isSignal });
    isTokens("tokens", tokens);
    const { special = false, signal } = options;
    signal?.throwIfAborted();
    return await abortable(this.#client.detokenize([...tokens], special), signal);
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
