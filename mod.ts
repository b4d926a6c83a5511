/**
 * kumi runs large language models on ordinary CPUs: Zig kernels do the arithmetic, TypeScript composes them.
 *
 * ```ts ignore
 * import { loadModel } from "@kumi/kumi";
 *
 * await using model = await loadModel("demo");
 * for await (const part of model.chat([{ role: "user", content: "Hi" }])) {
 *   await Deno.stdout.write(new TextEncoder().encode(part));
 * }
 * ```
 *
 * @module
 */
export {
  type DetokenizeOptions,
  loadModel,
  type LoadOptions,
  type LoadProgress,
  Model,
  type TokenizeOptions,
} from "./src/engine/model.ts";
export type {
  ChatMessage,
  Completion,
  FinishReason,
  ModelInfo,
  Pooling,
  PromptLogprob,
  PromptShape,
  Timings,
  TokenLogprob,
  TopLogprob,
  Usage,
} from "./src/engine/protocol.ts";
export type {
  AnswerPart,
  Generation,
  GenerationListener,
  GenerationResult,
} from "./src/engine/generation.ts";
export type { ChatOptions, GenerationOptions } from "./src/engine/generation_options.ts";
export type { Embeddings, EmbedInput, EmbedOptions } from "./src/engine/embedding.ts";
export { type KumiServer, serve, type ServeOptions } from "./src/server/serve.ts";
export { createHandler, type Handler, type HandlerOptions } from "./src/server/handler.ts";
export { HALF_CLOSED } from "./src/server/presence.ts";
export { runUntilSignal } from "./src/server/signals.ts";
export type {
  AcceptedRequest,
  AnsweredRequest,
  FinishedRequest,
  RefusedRequest,
  RequestObserver,
} from "./src/server/observer.ts";
export { samplingDefaults, type SamplingOptions } from "./src/sampling.ts";
export type { KvFormat } from "./src/gguf/mod.ts";
export type { KvOptions } from "./src/model_runner.ts";
export {
  ContextError,
  EngineError,
  QuarantineError,
  RefusedError,
  STUCK_EXIT_CODE,
} from "./src/engine/errors.ts";
export { LIBRARY_CLASSES } from "./src/engine/classes.ts";
export type { Health, ModelStats, WorkerStats } from "./src/engine/client.ts";
export type { ClassFigures, EngineStats } from "./src/engine/stats.ts";
export type { HistogramFigures } from "./src/histogram.ts";
export type { KvStats } from "./src/engine/kv_stats.ts";
export type { LatencyClass, QueueLimit, RefusalReason } from "./scheduler/mod.ts";
export { GgufError } from "./src/gguf/error.ts";
export { ModelError } from "./src/models/error.ts";
export { HubError } from "./src/hub/mod.ts";
export {
  type ChatTemplateOptions,
  type ChatVariables,
  type ReasoningEffort,
  TemplateError,
} from "./src/tokenizer/chat_template.ts";
export type { EndingOptions, ToolCall } from "./src/tokenizer/conversation.ts";
export { TokenizerError } from "./src/tokenizer/error.ts";
