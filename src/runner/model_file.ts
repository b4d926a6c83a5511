/** What a model file is good for: the checks of loading, without allocating anything. @module */

import { GgufError, type GgufFile } from "../gguf/reader.ts";
import { quote } from "../gguf/error.ts";
import type { KvFormat } from "../gguf/kv_format.ts";
import { memoryBytes } from "../layers/formats.ts";
import { fitKvTokens, kvRoomTokens, marginBytes } from "./memory_check.ts";
import { type CheckedModel, checkModel } from "../models/check.ts";
import { withoutIgnored } from "../models/compose.ts";
import { ModelError } from "../models/error.ts";
import { separateTensors } from "../models/fused.ts";
import type { Hyperparameters } from "../models/hyperparameters.ts";
import { unknownKeys } from "../models/keys.ts";
import { familyOf } from "../models/registry.ts";
import {
  checkKvLayers,
  contextMaxOf,
  inBlocks,
  kvBytesFor,
  kvTokenBytes,
  resolveSizes,
  type SizeOptions,
} from "./sizes.ts";
import { type ChatTemplate, createChatTemplate } from "../tokenizer/chat_template.ts";

import { readFileSampling } from "../protocol/file_sampling.ts";
import { TemplateError, TokenizerError } from "../tokenizer/error.ts";
import { createTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts";

/** A file that has passed. */
export interface ReadModel extends CheckedModel {
  readonly tokenizer: Tokenizer;
  /** A TemplateError where there is none that works: the model still continues texts. */
  readonly chatTemplate: ChatTemplate | TemplateError;
}

/**
 * Checks a file and builds what turns text into tokens; `predicts`: whether a predictor is wanted that it has. Throws GgufError,
 * ModelError or TokenizerError that names the file.
 */
export function readModel(file: GgufFile, predicts = false): ReadModel {
  try {
    const model = checkModel(file, undefined, predicts);
    const tokenizer = createTokenizer(file.metadata);
    return { ...model, tokenizer, chatTemplate: chatTemplateOf(file, tokenizer) };
  } catch (error) {
    throw named(file.path, error);
  }
}

function chatTemplateOf(file: GgufFile, tokenizer: Tokenizer): ChatTemplate | TemplateError {
  try {
    return createChatTemplate(file.metadata, tokenizer);
  } catch (error) {
    if (error instanceof TemplateError) return error;
    throw error;
  }
}

/** The error with the file's name in front, where it is one of the file's and does not name it yet. */
export function named(path: string, error: unknown): unknown {
  const ofFile = [GgufError, ModelError, TokenizerError] as const;
  const type = ofFile.find((each) => error instanceof each);
  const { message } = error as Error;
  if (type === undefined || message.startsWith(`${path}: `)) return error;
  return new type(`${path}: ${message}`, { cause: error });
}

const NAMES_SHOWN_MAX = 8;

/** Sentences about what is otherwise than the file or a user would have it, once a model is loaded. */
export function loadNotes(
  file: GgufFile,
  h: Hyperparameters,
  { contextLength }: { readonly contextLength: number },
  asked: SizeOptions,
): string[] {
  const notes: string[] = [];
  if (
    asked.contextLength === undefined && asked.kvTokens === undefined && contextLength < contextMaxOf(h)
  ) {
    notes.push(
      `the context is ${contextLength} tokens, not the model's ${
        contextMaxOf(h)
      }: memory has no room for the KV cache of more`,
    );
  }
  notes.push(...readFileSampling(file.metadata).notes);
  if (h.predictorFault !== undefined) {
    notes.push(`the layer that predicts tokens after the next is not computed: ${h.predictorFault}`);
  }
  const unknown = unknownKeys(file, familyOf(file));
  if (unknown.length > 0) {
    const shown = unknown.slice(0, NAMES_SHOWN_MAX).map(quote).join(", ");
    const more = unknown.length > NAMES_SHOWN_MAX ? ` and ${unknown.length - NAMES_SHOWN_MAX} more` : "";
    notes.push(`the file has keys that are not known here and were not read: ${shown}${more}`);
  }
  return notes;
}

/** What is asked about a file. */
export interface FileQuestion {
  readonly kvFormat: KvFormat;
  /** Sequences at the same time. */
  readonly users: number;
  /** Tokens of each; undefined: as loading chooses. */
  readonly context?: number;
  readonly availableBytes: number;
}

/** Bytes that a load takes, and how far the memory reaches. */
export interface MemoryPlan {
  readonly weightsBytes: number;
  readonly kvBytesPerToken: number;
  readonly kvBytes: number;
  /** For activations, logits, rotary tables and the tokenizer. */
  readonly marginBytes: number;
  readonly totalBytes: number;
  readonly availableBytes: number;
  /** Tokens of each sequence. */
  readonly context: number;
  readonly fits: boolean;
  /** Most tokens that the model allows a sequence, whatever the memory. */
  readonly contextLimit: number;
  /** Most users with this context, and longest context with these users; 0 when not even the weights fit. */
  readonly usersMax: number;
  readonly contextMax: number;
}

/** The answer about a file. */
export interface Verdict {
  /** Whether this build could load it, memory aside. */
  readonly runs: boolean;
  /** Why not. */
  readonly reason?: string;
  readonly notes: readonly string[];
  /** Null where the file does not run. */
  readonly memory: MemoryPlan | null;
}

/** Says of a file what loading it would say. Throws RangeError for a KV format that the model's heads do not allow. */
export function judge(file: GgufFile, question: FileQuestion): Verdict {
  const { kvFormat, users, availableBytes } = question;
  let model: ReadModel;
  try {
    model = readModel(file, true);
  } catch (error) {
    // What is wrong with the file has its name before it.
    const prefix = `${file.path}: `;
    if (!(error instanceof Error && error.message.startsWith(prefix))) throw error;
    return { runs: false, reason: error.message.slice(prefix.length), notes: [], memory: null };
  }
  const { hyperparameters: h, chatTemplate } = model;
  checkKvLayers(h, kvFormat);
  const tensors = separateTensors(withoutIgnored(file.tensors, model), model.fusions);
  const weightsBytes = tensors.values().reduce(
    (sum, { type, dims }) => sum + memoryBytes(type, dims),
    0,
  );
  const room = { weightBytes: weightsBytes, kvBytes: kvBytesFor(h, kvFormat), availableBytes };
  const context = question.context ?? defaultContext(h, kvFormat, room);
  const kvTokens = users * context;
  const kvTokensMin = inBlocks(kvTokens);
  const contextLimit = contextMaxOf(h);
  const reach = kvRoomTokens(room);
  const notes = loadNotes(file, h, { contextLength: context }, { contextLength: question.context });
  if (h.predictor !== undefined) {
    notes.push(
      `layer ${h.layers.length} predicts the token after the next: it guesses what answers go on with and changes none`,
    );
  }
  if (chatTemplate instanceof TemplateError) notes.push(chatTemplate.message);
  const kvBytes = room.kvBytes(kvTokens);
  const margin = marginBytes(weightsBytes);
  return {
    runs: true,
    notes,
    memory: {
      weightsBytes,
      kvBytesPerToken: kvTokenBytes(h, kvFormat),
      kvBytes,
      marginBytes: margin,
      totalBytes: weightsBytes + kvBytes + margin,
      availableBytes,
      context,
      fits: context <= contextLimit &&
        fits(() => fitKvTokens({ ...room, kvTokens: kvTokensMin, kvTokensMin })),
      contextLimit,
      usersMax: Math.floor(reach / context),
      contextMax: Math.min(contextLimit, Math.floor(reach / users)),
    },
  };
}

/** The context that loading chooses; the model's own where it would choose none. */
function defaultContext(
  h: Hyperparameters,
  kvFormat: KvFormat,
  { weightBytes, availableBytes }: { weightBytes: number; availableBytes: number },
): number {
  const memory = { availableBytes, weightBytes, sharers: 1 };
  let context = contextMaxOf(h);
  fits(() => context = resolveSizes(h, { kvFormat }, memory).contextLength);
  return context;
}

function fits(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (error instanceof ModelError) return false;
    throw error;
  }
}
