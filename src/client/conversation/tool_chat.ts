/**
 * A chat in which the model calls tools. A round is an answer of the model: where it calls tools, their handlers run and their
 * results are told to the model, which answers again, until it calls none or a bound is met.
 * @module
 */

import type { FinishReason, Usage } from "../../protocol/answer.ts";
import type { ModelInfo } from "../../protocol/model_info.ts";
import type { ChatOptions } from "../../protocol/options/generation.ts";
import type { ChatMessage } from "../../protocol/request.ts";
import type { Generation, GenerationResult } from "../generation.ts";
import { callIdAfter, callingOf } from "./calling.ts";
import { TOOL_CHAT, type ToolChatOptions } from "./options.ts";
import { AnswerReader, mannerOf, piecesOf, textIn, thoughtIn } from "./pieces.ts";
import { type ChatCall, declarationsOf, runCall, type ToolResult } from "./tools.ts";

/** What happens in a chat with tools; `round` from 0. */
export type ChatEvent =
  | { readonly kind: "text"; readonly round: number; readonly text: string }
  /** The model has called a tool: all calls of a round are told when its answer is whole. */
  | { readonly kind: "call"; readonly round: number; readonly call: ChatCall }
  /** A handler has ended, well or not. */
  | { readonly kind: "result"; readonly round: number; readonly result: ToolResult };

/** A finished chat with tools. */
export interface ToolChatResult {
  /** The text of the last answer. */
  text: string;
  /** What came to the conversation: answers with their calls, and results. Behind the messages that were given, the chat can go on with them. */
  messages: ChatMessage[];
  /** The calls that were run, with their results, in their order. */
  calls: ToolResult[];
  /** Calls of the last answer that were not run: of a tool without a handler, or of the last round that was allowed. */
  pending: ChatCall[];
  /** Each answer of the model. */
  rounds: GenerationResult[];
  /** As a generation's; "calls": a tool without a handler was called; "rounds": there would have been more than `maxRounds`. */
  finishReason: FinishReason | "calls" | "rounds";
  /** Of all rounds together. */
  usage: Usage;
}

/** Begins an answer of the model. */
export type Answering = (messages: readonly ChatMessage[], options: ChatOptions) => Generation;

/**
 * A chat with tools on its way. Iterate it for the parts of all texts as they come, `events()` for calls and results beside them, or await
 * `result`. Leaving a loop early ends the chat.
 */
export class ToolChat implements AsyncIterable<string> {
  /** The whole. Rejects when an answer fails; an aborted one resolves with finishReason "abort" and what came so far. */
  readonly result: Promise<ToolChatResult>;
  readonly #answering: Answering;
  readonly #options: ToolChatOptions;
  readonly #info: Pick<ModelInfo, "toolCalls" | "thoughts">;
  readonly #given: readonly ChatMessage[];
  readonly #left = new AbortController();
  readonly #signal: AbortSignal;
  readonly #deadline?: number;
  readonly #events: ChatEvent[] = [];
  readonly #calls: ToolResult[] = [];
  readonly #rounds: GenerationResult[] = [];
  #isOver = false;
  #wasAborted = false;
  #error: Error | null = null;
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();

  /** Use `model.chat()`. Throws as `chat()` does. */
  constructor(
    answering: Answering,
    messages: readonly ChatMessage[],
    options: ToolChatOptions,
    info: Pick<ModelInfo, "toolCalls" | "thoughts">,
  ) {
    this.#answering = answering;
    this.#options = options;
    this.#info = info;
    this.#given = messages;
    const { signal, deadlineMs } = options;
    this.#signal = signal === undefined ? this.#left.signal : AbortSignal.any([signal, this.#left.signal]);
    if (deadlineMs !== undefined) this.#deadline = performance.now() + deadlineMs;
    // What is wrong with the arguments is said at once.
    const first = this.#start([...messages], 0);
    this.result = this.#run(first);
    this.result.then(
      ({ finishReason }) => this.#end(finishReason === "abort"),
      (error) => this.#end(false, error),
    );
  }

  async #run(first: Generation): Promise<ToolChatResult> {
    const messages = [...this.#given];
    const { maxRounds = TOOL_CHAT.maxRounds.default, tools } = this.#options;
    for (let round = 0, answer = first;; round++) {
      const { text, thought, calls, result } = await this.#read(answer, round, messages);
      messages.push(turnOf(text, thought, calls));
      const end = (finishReason: ToolChatResult["finishReason"], pending: ChatCall[] = []) =>
        this.#whole(text, messages, finishReason, pending);
      if (result.finishReason !== "stop" || calls.length === 0) return end(result.finishReason, calls);
      if (round + 1 === maxRounds) return end("rounds", calls);
      const isOpen = ({ name }: ChatCall) => Object.hasOwn(tools, name) && tools[name].execute === undefined;
      if (!await this.#runCalls(calls.filter((call) => !isOpen(call)), round, messages)) {
        return end("abort", calls);
      }
      const pending = calls.filter(isOpen);
      if (pending.length > 0) return end("calls", pending);
      if (this.#deadline !== undefined && performance.now() >= this.#deadline) return end("deadline");
      answer = this.#start(messages, round + 1);
    }
  }

  #start(messages: readonly ChatMessage[], round: number): Generation {
    const { tools, toolChoice, parallelToolCalls, maxRounds: _, ...options } = this.#options;
    const request = {
      tools: declarationsOf(tools),
      // A choice that held for every round would never let it end.
      choice: round === 0 ? toolChoice ?? TOOL_CHAT.toolChoice.default : "auto",
      parallel: parallelToolCalls ?? TOOL_CHAT.parallelToolCalls.default,
    } as const;
    const calling = callingOf(request, this.#info.toolCalls);
    return this.#answering(messages, {
      ...options,
      ...round === 0 ? {} : { continueFinalMessage: undefined, addGenerationPrompt: undefined },
      ...this.#deadline === undefined ? {} : { deadlineMs: Math.max(1, this.#deadline - performance.now()) },
      ...calling.shape,
      ...calling.options,
      // They are read here, together with the calls.
      splitReasoning: false,
      signal: this.#signal,
    });
  }

  /** An answer, told as it comes. */
  async #read(answer: Generation, round: number, messages: readonly ChatMessage[]) {
    const manner = mannerOf(this.#info, declarationsOf(this.#options.tools));
    let reader: AnswerReader | undefined;
    const tell = (pieces: ReturnType<AnswerReader["push"]>) => {
      for (const piece of pieces) {
        if (piece.kind === "text") this.#tell({ kind: "text", round, text: piece.text });
      }
    };
    try {
      for await (const part of answer) {
        tell((reader ??= new AnswerReader(manner, answer.thoughts)).push(part));
      }
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    }
    tell(reader?.end() ?? []);
    const result = await answer.result;
    this.#rounds.push(result);
    const pieces = piecesOf(result, manner);
    const text = textIn(pieces);
    const calls = pieces.flatMap((piece) => {
      const args = piece.kind === "call" ? parsed(piece.arguments) : undefined;
      if (piece.kind !== "call" || args === undefined) return [];
      return [{ id: callIdAfter(messages, piece.index), name: piece.name, arguments: args }];
    });
    for (const call of calls) this.#tell({ kind: "call", round, call });
    return { text, thought: thoughtIn(pieces), calls, result };
  }

  /** Runs calls at the same time and adds their results to the conversation; false: aborted. */
  async #runCalls(calls: readonly ChatCall[], round: number, messages: ChatMessage[]): Promise<boolean> {
    const context = { messages: [...messages], signal: this.#signal };
    const aborted = Promise.withResolvers<null>();
    const onAbort = () => aborted.resolve(null);
    this.#signal.addEventListener("abort", onAbort, { once: true });
    if (this.#signal.aborted) onAbort();
    const run = async (call: ChatCall) => {
      const tool = Object.hasOwn(this.#options.tools, call.name) ? this.#options.tools[call.name] : undefined;
      const result = await runCall(tool, call, { ...context, id: call.id });
      if (!this.#signal.aborted) this.#tell({ kind: "result", round, result });
      return result;
    };
    // A handler that does not heed the signal is left to itself.
    const results = await Promise.race([Promise.all(calls.map(run)), aborted.promise]);
    this.#signal.removeEventListener("abort", onAbort);
    if (results === null) return false;
    this.#calls.push(...results);
    messages.push(
      ...results.map(({ id, name, text }) => ({ role: "tool", content: text, name, tool_call_id: id })),
    );
    return true;
  }

  #whole(
    text: string,
    messages: readonly ChatMessage[],
    finishReason: ToolChatResult["finishReason"],
    pending: ChatCall[],
  ): ToolChatResult {
    const sum = (name: keyof Usage) =>
      this.#rounds.reduce((total, { usage }) => total + (usage[name] ?? 0), 0);
    const thinks = this.#rounds.some(({ usage }) => usage.reasoningTokens !== undefined);
    return {
      text,
      messages: messages.slice(this.#given.length),
      calls: [...this.#calls],
      pending,
      rounds: [...this.#rounds],
      finishReason,
      usage: {
        promptTokens: sum("promptTokens"),
        cachedTokens: sum("cachedTokens"),
        completionTokens: sum("completionTokens"),
        ...thinks ? { reasoningTokens: sum("reasoningTokens") } : {},
      },
    };
  }

  #tell(event: ChatEvent): void {
    this.#events.push(event);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  #end(wasAborted: boolean, error: Error | null = null): void {
    this.#isOver = true;
    this.#wasAborted = wasAborted;
    this.#error = error;
    this.#wake.resolve();
  }

  /** All that happens, from the beginning. An abort throws the signal's reason behind the last event. */
  async *events(): AsyncGenerator<ChatEvent, void, void> {
    try {
      for (let at = 0;;) {
        if (at < this.#events.length) yield this.#events[at++];
        else if (this.#error !== null) throw this.#error;
        else if (this.#isOver) return this.#wasAborted ? this.#options.signal?.throwIfAborted() : undefined;
        else await this.#wake.promise;
      }
    } finally {
      if (!this.#isOver) this.#left.abort();
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    for await (const event of this.events()) if (event.kind === "text") yield event.text;
  }
}

function turnOf(content: string, thought: string, calls: readonly ChatCall[]): ChatMessage {
  const tool_calls = calls.map(({ id, name, arguments: given }) => ({
    id,
    function: { name, arguments: given },
  }));
  const reasoning = thought === "" ? {} : { reasoning_content: thought };
  return { role: "assistant", content, ...reasoning, ...calls.length === 0 ? {} : { tool_calls } };
}

/** Undefined where arguments were cut. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
