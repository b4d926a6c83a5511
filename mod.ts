/**
 * kumi runs large language models on ordinary CPUs: Zig kernels do the arithmetic, TypeScript composes them.
 *
 * ```ts
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
  Model,
  type RenderOptions,
  type TokenizeOptions,
} from "./src/client/model.ts";
export type {
  KvOptions,
  LoadOptions,
  LoadProgress,
  PrefixStoreOptions,
} from "./src/protocol/options/load.ts";
export type { ModelInfo, ToolCalls } from "./src/protocol/model_info.ts";
export type {
  AnswerPart,
  Completion,
  FinishReason,
  PromptLogprob,
  Timings,
  TokenLogprob,
  TopLogprob,
  Usage,
} from "./src/protocol/answer.ts";
export type { ChatMessage, Pooling, PromptShape, RenderedChat } from "./src/protocol/request.ts";
export type { GapTokens } from "./src/tokenizer/gap_tokens.ts";
export type { Generation, GenerationResult } from "./src/client/generation.ts";
export {
  ObjectError,
  type ObjectGeneration,
  type ObjectResult,
  type PartialObject,
} from "./src/client/conversation/object_generation.ts";
export type { ChatToolChoice, ObjectOptions, ToolChatOptions } from "./src/client/conversation/options.ts";
export type {
  AnySchema,
  JsonSchema,
  SchemaIssue,
  SchemaOutput,
  StandardResult,
  StandardSchema,
} from "./src/client/conversation/schema.ts";
export type { ChatEvent, ToolChat, ToolChatResult } from "./src/client/conversation/tool_chat.ts";
export {
  type ChatCall,
  type ChatTool,
  tool,
  type ToolContext,
  type ToolResult,
} from "./src/client/conversation/tools.ts";
export type {
  ChatOptions,
  EmbedOptions,
  GenerationListener,
  GenerationOptions,
} from "./src/protocol/options/generation.ts";
export type { Embeddings, EmbedInput } from "./src/client/embedding.ts";
export { type KumiServer, type RunningServer, serve } from "./src/server/serve.ts";
export { type KumiModelsServer, serveModels } from "./src/server/serve_models.ts";
export type { SharedModel } from "./src/server/residency/entry.ts";
export { createHandler, type Handler } from "./src/server/handler.ts";
export type { BatchOptions } from "./src/server/batches/batches.ts";
export type {
  HandlerChanges,
  HandlerOptions,
  ServeModelsOptions,
  ServeOptions,
  ServerChanges,
} from "./src/server/options.ts";
export type { ApiKey, KeyLimits, KeyOptions, KeyRules } from "./src/server/accounts/rules.ts";
export type { AdminActions } from "./src/server/routes/admin.ts";
export { HALF_CLOSED } from "./src/server/presence.ts";
export { runUntilSignal } from "./src/server/signals.ts";
export type {
  AcceptedRequest,
  AnsweredRequest,
  FinishedRequest,
  RefusedRequest,
  RequestObserver,
} from "./src/server/observer.ts";
export type {
  Receipt,
  ReceiptRequest,
  ReceiptSampling,
  ReceiptSignature,
} from "./src/protocol/receipts/receipt.ts";
export type { ReceiptOptions } from "./src/server/receipts/office.ts";
export { readReceiptKey, type ReceiptKey, signReceipt } from "./src/protocol/receipts/sign.ts";
export { samplingDefaults, type SamplingOptions } from "./src/protocol/options/sampling.ts";
export type { KvFormat } from "./src/gguf/mod.ts";
export {
  ContextError,
  EngineError,
  QuarantineError,
  RefusedError,
  STUCK_EXIT_CODE,
} from "./src/protocol/errors.ts";
export { LIBRARY_CLASSES } from "./src/protocol/classes.ts";
export type {
  Health,
  ModelStats,
  OutlookRequest,
  RequestOutlook,
  StatsOptions,
  WorkerHealth,
  WorkerStats,
} from "./src/client/client.ts";
export type { ClassFigures, EngineStats } from "./src/protocol/stats.ts";
export type { HistogramFigures } from "./src/protocol/histogram.ts";
export type { KvStats, PrefixStoreStats } from "./src/protocol/stats.ts";
export type { EngineView, KvBlockState, KvStretch, StepPart, WaitingRequest } from "./src/protocol/view.ts";
export type { LatencyClass, QueueLimit, RefusalReason } from "./scheduler/mod.ts";
export { GgufError } from "./src/gguf/error.ts";
export { GrammarError, type GrammarSource, type GrammarSpec } from "./src/grammar/mod.ts";
export type { Tool, ToolChoice } from "./src/grammar/tools/grammar.ts";
export type { ToolDeclaration } from "./src/grammar/tools/prompt.ts";
export { CheckpointError } from "./src/safetensors/error.ts";
export { ModelError } from "./src/models/error.ts";
export { HubError } from "./src/hub/mod.ts";
export type {
  ChatTemplateOptions,
  ChatVariables,
  ReasoningEffort,
} from "./src/tokenizer/template_options.ts";
export type { EndingOptions, ToolCall } from "./src/tokenizer/conversation.ts";
export { TemplateError, TokenizerError } from "./src/tokenizer/error.ts";
