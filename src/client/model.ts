import { checkOptions, isBoolean, isSignal, isString, isTokens, wrongType } from "../protocol/arguments.ts";
import { parseCpuList } from "../ffi/cpu_list.ts";
import type { EngineOptions } from "../protocol/engine_options.ts";
import {
  CHAT_CHECKS,
  type ChatOptions,
  EMBEDDING_CHECKS,
  type EmbedOptions,
  GENERATION_CHECKS,
  type GenerationListener,
  type GenerationOptions,
  SHAPE_CHECKS,
} from "../protocol/options/generation.ts";
import { DRAFT_UNASKED, LOAD, LOAD_CHECKS, type LoadOptions } from "../protocol/options/load.ts";
import type { OptionTable } from "../protocol/options/option.ts";
import { ObjectGeneration, withSchemaPrompt } from "./conversation/object_generation.ts";
import {
  OBJECT,
  OBJECT_CHECKS,
  type ObjectOptions,
  TOOL_CHAT_CHECKS,
  type ToolChatOptions,
} from "./conversation/options.ts";
import { type JsonSchema, type StandardSchema, toJsonSchema } from "./conversation/schema.ts";
import { ToolChat } from "./conversation/tool_chat.ts";
import { planWorkers } from "./plan_workers.ts";
import {
  EngineClient,
  type Health,
  type ModelStats,
  type OutlookRequest,
  type RequestOutlook,
  type StartOptions,
  type StatsOptions,
} from "./client.ts";
import type { Generation, GenerationParts } from "./generation.ts";
import { ReceiptDraft } from "./receipt_draft.ts";
import {
  checkDimensions,
  embedAll,
  type Embeddings,
  type EmbedInput,
  resolvePooling,
  toTexts,
} from "./embedding.ts";
import {
  isMessages,
  resolveEmbedding,
  resolveRequest,
  shapeOf,
  splitsReasoning,
} from "./generation_options.ts";
import { thoughtFormatNamed } from "../grammar/thoughts/format.ts";
import { EngineError } from "../protocol/errors.ts";
import { ModelFiles } from "../safetensors/model_hash.ts";
import { layoutWorkers } from "./layout.ts";
import { locateModel } from "./locate_model.ts";
import type { ModelInfo } from "../protocol/model_info.ts";
import type {
  ChatMessage,
  GenerationRequest,
  Pooling,
  Prompt,
  PromptShape,
  RenderedChat,
  WorkRequest,
} from "../protocol/request.ts";
import { oneLine } from "../process/harmless.ts";
import { printNote } from "../process/print.ts";
import { assertMayRun, engineCommand } from "./process/engine_command.ts";
import { ProcessTransport } from "./process/process_transport.ts";
import { type Transport, WorkerTransport } from "./transport.ts";

/**
 * Loads a model into workers of its own and gives a handle to it. `model`: a path to a GGUF file,
 * `hf:owner/repo/file.gguf` or a name such as "smollm2" to download one, or "demo" for the bundled toy. Or a folder of safetensors, there or
 * `hf:owner/repo`.
 *
 * ```ts
 * await using model = await loadModel("demo", {
 *   contextLength: 512,
 *   progress: ({ phase, doneBytes, totalBytes }) => console.error(phase, doneBytes / totalBytes),
 * });
 * console.log(model.info.contextLength);
 * ```
 *
 * The model stays in memory until `close()`, or the end of an `await using` block. Throws GgufError, ModelError or
 * TokenizerError for a file that cannot be used, TypeError or RangeError for options, the signal's reason, Deno.errors.NotCapable
 * where `isolation: "process"` is not permitted.
 */
export async function loadModel(model: string | URL, options: LoadOptions = {}): Promise<Model> {
  if (typeof model !== "string" && !(model instanceof URL)) {
    throw wrongType("model", "a path or a URL", model);
  }
  checkOptions("loadModel()", options, LOAD_CHECKS);
  if (options.draft !== undefined && options.speculation === "off") {
    throw new TypeError(`loadModel(): "draft", and "speculation" is "off": ${DRAFT_UNASKED}`);
  }
  const { progress, signal, workers, threads, cpus: cpuList, draft, onStuck, onWait, overrule } = options;
  const cpus = typeof cpuList === "string" ? parseCpuList(cpuList) : cpuList;
  signal?.throwIfAborted();
  const locate = (spec: string | URL) =>
    locateModel(spec, {
      signal,
      onWait,
      progress: (doneBytes, totalBytes) => progress?.({ phase: "download", doneBytes, totalBytes }),
    });
  const path = await locate(model);
  const draftPath = draft === undefined ? undefined : await locate(draft);
  const files = await ModelFiles.look(path).catch(() => undefined);
  const client = await EngineClient.start(transportOf(options), {
    path,
    engine: { ...engineOptions(options), ...draftPath === undefined ? {} : { draftPath } },
    workers: layoutWorkers({ workers, threads, cpus }, planWorkers),
    ...restartsOf(options),
    onStuck,
    overrule,
    signal,
    progress: (doneBytes, totalBytes) => progress?.({ phase: "load", doneBytes, totalBytes }),
  });
  return new Model(client, { files, weights: options.weights });
}

/** What a model was loaded from. */
interface ModelSource {
  /** Its files as they were before; undefined: they are not to be had. */
  readonly files?: ModelFiles;
  readonly weights?: string;
}

/** Where engines run. Throws a NotCapable error with advice where this program may start none. */
function transportOf(options: LoadOptions): (worker: number) => Transport {
  const { label } = options;
  const nameOf = (worker: number) =>
    `engine ${worker}${label === undefined ? "" : ` of ${oneLine(JSON.stringify(label))}`}`;
  if (options.isolation !== "process") {
    return (worker) => new WorkerTransport(undefined, `kumi ${nameOf(worker)}`);
  }
  const command = engineCommand(options);
  assertMayRun(command);
  return (worker) =>
    new ProcessTransport({ command, log: (line) => printNote(`kumi: ${nameOf(worker)}: ${line}`) });
}

/** Processes share no weights, and are started again for ever. */
function restartsOf(
  { isolation, shareWeights }: LoadOptions,
): Pick<StartOptions, "shareWeights" | "backOff"> {
  return isolation === "process" ? { shareWeights: false, backOff: {} } : { shareWeights };
}

/** Those that travel to the engine. */
function engineOptions(options: LoadOptions): EngineOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => !(LOAD as OptionTable)[name].isCallers),
  );
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

/** How a conversation becomes a prompt. All optional. */
export interface RenderOptions extends PromptShape {
  signal?: AbortSignal;
}

const RENDER_CHECKS = { ...SHAPE_CHECKS, signal: isSignal };

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

/** Whether the tools come by name, with handlers; a list of declarations only tells the model of them. */
function hasHandlers(options: ChatOptions | ToolChatOptions): options is ToolChatOptions {
  const { tools } = options;
  return typeof tools === "object" && tools !== null && !Array.isArray(tools);
}

/** A loaded model. Requests may run at the same time: they are computed together. */
export class Model implements AsyncDisposable {
  readonly #client: EngineClient;
  readonly #source: ModelSource;

  /** Use {@linkcode loadModel}. */
  constructor(client: EngineClient, source: ModelSource = {}) {
    this.#client = client;
    this.#source = source;
  }

  /** What was loaded. */
  get info(): ModelInfo {
    return this.#client.info;
  }

  /**
   * Continues a text, or a list of tokens, without a chat template.
   *
   * ```ts
   * await using model = await loadModel("demo");
   * const { text } = await model.generate("Once upon a time", { maxTokens: 50 }).result;
   * console.log(text);
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
   * ```ts
   * await using model = await loadModel("demo");
   * for await (const part of model.chat([{ role: "user", content: "Hi" }])) console.log(part);
   * ```
   *
   * Throws a TypeError or RangeError for arguments that cannot be, roles among them.
   */
  chat(messages: readonly ChatMessage[], options?: ChatOptions): Generation;
  /**
   * The same with tools by name: the model calls them, their handlers run, and it answers again with what they gave, `maxRounds` times
   * at most. A call's arguments always fit the tool's schema.
   *
   * ```ts
   * import { tool } from "@kumi/kumi";
   * import { z } from "zod";
   *
   * await using model = await loadModel("demo");
   * const add = tool({
   *   description: "Adds two numbers.",
   *   parameters: z.object({ a: z.number(), b: z.number() }),
   *   execute: ({ a, b }) => a + b,
   * });
   * const chat = model.chat([{ role: "user", content: "What is 17 + 25?" }], { tools: { add }, maxTokens: 100 });
   * const { text, calls } = await chat.result;
   * console.log(text, calls);
   * ```
   *
   * Throws a TypeError or RangeError for arguments that cannot be, a GrammarError for a schema that cannot be followed.
   */
  chat(messages: readonly ChatMessage[], options: ToolChatOptions): ToolChat;
  chat(messages: readonly ChatMessage[], options: ChatOptions | ToolChatOptions = {}): Generation | ToolChat {
    if (!hasHandlers(options)) return this.#chat(messages, options);
    checkOptions("chat()", options, TOOL_CHAT_CHECKS);
    isMessages("messages", messages);
    return new ToolChat((...asked) => this.#chat(...asked), messages, options, this.info);
  }

  #chat(messages: readonly ChatMessage[], options: ChatOptions): Generation {
    checkOptions("chat()", options, CHAT_CHECKS);
    isMessages("messages", messages);
    const copies = messages.map((message) => ({ ...message }));
    return this.#start({ messages: copies, ...shapeOf(options) }, options);
  }

  /**
   * Answers a conversation with an object that fits a schema: of zod or another library (Standard Schema), whose checks then see it, or
   * plain JSON Schema. Tokens that cannot follow are never sampled.
   *
   * ```ts
   * import { z } from "zod";
   *
   * await using model = await loadModel("demo");
   * const schema = z.object({ name: z.string().max(20), age: z.number().int().min(0).max(150) });
   * const { object } = await model.generateObject([{ role: "user", content: "Anna is 31. As JSON:" }], schema).result;
   * console.log(object.name, object.age + 1);
   * ```
   *
   * Throws a TypeError or RangeError for arguments that cannot be, a GrammarError for a schema that cannot be followed.
   */
  generateObject<T>(
    messages: readonly ChatMessage[],
    schema: StandardSchema<T>,
    options?: ObjectOptions,
  ): ObjectGeneration<T>;
  /** The same for plain JSON Schema, of which no type follows: name it, `generateObject<Person>(…)`. */
  // deno-lint-ignore no-explicit-any
  generateObject<T = any>(
    messages: readonly ChatMessage[],
    schema: JsonSchema,
    options?: ObjectOptions,
  ): ObjectGeneration<T>;
  generateObject<T>(
    messages: readonly ChatMessage[],
    schema: StandardSchema<T> | JsonSchema,
    options: ObjectOptions = {},
  ): ObjectGeneration<T> {
    checkOptions("generateObject()", options, OBJECT_CHECKS);
    isMessages("messages", messages);
    const { tellSchema = OBJECT.tellSchema.default, ...rest } = options;
    const json = toJsonSchema("schema", schema);
    const asked = tellSchema ? withSchemaPrompt(messages, json) : messages;
    const generation = this.#chat(asked, { ...rest, grammar: { kind: "schema", schema: json } });
    return new ObjectGeneration<T>(generation, schema, options.signal);
  }

  /**
   * Embeds texts, or lists of tokens: a vector of length 1 for each, made of the model's hidden states after the last norm, as the
   * model's file says or `pooling`. A text's vector has the same bits however many others are computed with it.
   *
   * ```ts
   * await using model = await loadModel("demo");
   * const { embeddings: [a, b] } = await model.embed(["a dog", "a cat"]);
   * const similarity = a.reduce((sum, x, i) => sum + x * b[i], 0);
   * console.log(similarity);
   * ```
   *
   * Rejects with a ModelError where the file asks for a pooling that is not supported, a RangeError for options and texts that cannot be, a RefusedError, the signal's reason, or a DOMException
   * "TimeoutError" when the deadline has passed.
   */
  async embed(input: EmbedInput, options: EmbedOptions = {}): Promise<Embeddings> {
    checkOptions("embed()", options, EMBEDDING_CHECKS);
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
  startEmbedding(
    text: Prompt,
    options: Omit<EmbedOptions, "dimensions"> & GenerationListener & { pooling: Pooling },
  ): Generation {
    return this.#send(resolveEmbedding(text, options, this.info), options);
  }

  #start(prompt: Prompt, options: GenerationOptions): Generation {
    const { thoughts } = this.info;
    const splits = "messages" in prompt && splitsReasoning(options, this.info);
    const request = resolveRequest(prompt, options, this.info);
    return this.#send(request, options, {
      ...splits ? { thoughts: thoughtFormatNamed(thoughts!.format) } : {},
      ...request.receipt === true ? { receipt: this.#draft(request) } : {},
    });
  }

  #draft(request: GenerationRequest): ReceiptDraft {
    const { weights } = this.#source;
    const model = { info: this.info, weights, sha256: () => this.sha256() };
    // It takes as long as reading the file, the first time: beside the answer, and not behind it.
    model.sha256().catch(() => {});
    return new ReceiptDraft(request, model);
  }

  #send(
    request: WorkRequest,
    { signal, onAccepted, onTokens, onPart }: GenerationListener & { signal?: AbortSignal },
    parts: GenerationParts = {},
  ): Generation {
    return this.#client.generate(request, { ...parts, signal }, { onAccepted, onTokens, onPart });
  }

  /**
   * Token ids of a text.
   *
   * ```ts
   * await using model = await loadModel("demo");
   * const tokens = await model.tokenize("Hello, world");
   * console.log(tokens.length, await model.detokenize(tokens));
   * ```
   *
   * Rejects with a TypeError for arguments that cannot be, and the signal's reason.
   */
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

  /**
   * The prompt that `chat()` would make of a conversation, as text and as tokens.
   *
   * ```ts
   * await using model = await loadModel("demo");
   * const { text, tokens } = await model.renderChat([{ role: "user", content: "Hi" }]);
   * console.log(text, tokens.length);
   * ```
   *
   * Rejects with a TypeError or RangeError for arguments that cannot be, a TemplateError where the template refuses the
   * conversation or there is none, and the signal's reason.
   */
  async renderChat(messages: readonly ChatMessage[], options: RenderOptions = {}): Promise<RenderedChat> {
    checkOptions("renderChat()", options, RENDER_CHECKS);
    isMessages("messages", messages);
    const { signal } = options;
    signal?.throwIfAborted();
    const copies = messages.map((message) => ({ ...message }));
    return await abortable(this.#client.render(copies, shapeOf(options)), signal);
  }

  /**
   * SHA-256 of the model's file in hex, as `sha256sum` tells it; of a split one or a folder that of the list of its files with theirs. All
   * of it is read, once for each state of the file.
   *
   * Rejects with a GgufError where the file has changed since it was loaded, an EngineError where nobody knows it.
   */
  async sha256(): Promise<string> {
    const { files } = this.#source;
    if (files === undefined) throw new EngineError("The model's file is not known: nobody can tell its hash");
    return await files.sha256();
  }

  /** Figures of this moment: of each worker, and of those that were replaced. Workers answer between two steps. */
  stats(options: StatsOptions = {}): Promise<ModelStats> {
    return this.#client.stats(options);
  }

  /**
   * What a request would find if it came now: whether it would be refused, and when its first token is to be expected, in ms. For
   * whoever can send it elsewhere. Waits for no worker.
   *
   * ```ts
   * await using model = await loadModel("demo");
   * await model.generate("Once upon a time", { maxTokens: 20 }).result;
   * const { refuses, ttftMs } = model.outlook({ class: "interactive", promptUnits: 100 });
   * console.log(refuses, ttftMs);
   * ```
   */
  outlook(request: OutlookRequest): RequestOutlook {
    return this.#client.outlook(request);
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
