/** Answers to chats, whole and in parts. @module */

import type { GenerationResult } from "../../../client/generation.ts";
import type { TokenLogprob, TopLogprob } from "../../../protocol/answer.ts";
import {
  type AnswerManner,
  AnswerReader,
  type Piece,
  piecesOf,
  textIn,
  thoughtIn,
} from "../../../client/conversation/pieces.ts";
import { callId } from "../conversation/tools.ts";
import type { Asked, SoFar } from "../dialect.ts";
import { type Chunks, ending, headOf, promptField, usageOf } from "./answers.ts";
import { finite } from "./completion_logprobs.ts";
import type { GenerationPlan } from "./plan.ts";

function chatLogprobs(logprobs: readonly TokenLogprob[] | undefined) {
  if (logprobs === undefined) return null;
  const named = ({ text, logprob, bytes }: TopLogprob) => ({ token: text, logprob: finite(logprob), bytes });
  return {
    content: logprobs.map((each) => ({ ...named(each), top_logprobs: each.top.map(named) })),
    refusal: null,
  };
}

/** How answers are read. */
export interface Reading extends AnswerManner {
  /** Whether what was thought is left out. */
  readonly hidesThoughts?: boolean;
}

/** Answers to one request. */
export class ChatAnswers implements Chunks {
  readonly #head: ReturnType<typeof headOf>;
  readonly #chunkHead: ReturnType<typeof headOf>;
  readonly #plan: Pick<GenerationPlan, "n" | "promptTop">;
  readonly #id: string;
  readonly #reading: Reading;
  readonly #readers = new Map<number, AnswerReader>();
  /** Parts say that the usage comes later. */
  readonly #null: { usage?: null };

  constructor(
    asked: Asked,
    plan: Pick<GenerationPlan, "n" | "promptTop" | "includeUsage">,
    reading: Reading = {},
  ) {
    this.#id = asked.id;
    this.#head = headOf(asked, "chatcmpl", "chat.completion");
    this.#chunkHead = { ...this.#head, object: "chat.completion.chunk" };
    this.#plan = plan;
    this.#reading = reading;
    this.#null = plan.includeUsage ? { usage: null } : {};
  }

  whole(results: readonly GenerationResult[]): object {
    const { n, promptTop } = this.#plan;
    const choices = results.map((result, index) => {
      const message = this.#message(result, index);
      return {
        index,
        message,
        logprobs: chatLogprobs(result.logprobs),
        ...calledEnding(result, "tool_calls" in message),
      };
    });
    const prompt = promptField(results, 0, n, promptTop);
    return { ...this.#head, choices, usage: usageOf(results, n), ...prompt };
  }

  #message(result: GenerationResult, answer: number) {
    const role = "assistant", refusal = null;
    const pieces = piecesOf(result, this.#reading);
    const text = textIn(pieces), thoughts = this.#reading.hidesThoughts ? "" : thoughtIn(pieces);
    const reasoning = thoughts === "" ? {} : { reasoning_content: thoughts };
    const calls = pieces.flatMap((piece) =>
      piece.kind === "call"
        ? [{
          id: callId(this.#id, answer, piece.index),
          type: "function",
          function: { name: piece.name, arguments: piece.arguments },
        }]
        : []
    );
    if (calls.length === 0) return { role, content: text, refusal, ...reasoning };
    return { role, content: text.trim() === "" ? null : text, refusal, ...reasoning, tool_calls: calls };
  }

  first(index: number, { thoughts }: SoFar): object {
    if (!this.#isPlain) this.#readers.set(index, new AnswerReader(this.#reading, thoughts));
    return this.#chunk(index, { role: "assistant", content: "", refusal: null });
  }

  part(index: number, text: string, logprobs?: readonly TokenLogprob[]): object | object[] {
    const reader = this.#readers.get(index);
    if (reader === undefined) return this.#chunk(index, { content: text }, chatLogprobs(logprobs));
    const deltas = reader.push(text).flatMap((piece) => this.#delta(index, piece));
    const all = deltas.length === 0 && logprobs?.length ? [{}] : deltas;
    return all.map((delta, i) => this.#chunk(index, delta, i === 0 ? chatLogprobs(logprobs) : null));
  }

  last(index: number, result: GenerationResult): object | object[] {
    const reader = this.#readers.get(index);
    const deltas = reader?.end().flatMap((piece) => this.#delta(index, piece)) ?? [];
    const rest = deltas.map((delta) => this.#chunk(index, delta));
    return [...rest, this.#chunk(index, {}, null, calledEnding(result, reader?.hasCalls ?? false))];
  }

  usage(results: readonly GenerationResult[]): object {
    return { ...this.#chunkHead, choices: [], usage: usageOf(results, this.#plan.n) };
  }

  /** Whether an answer is text alone. */
  get #isPlain(): boolean {
    return this.#reading.calls === undefined && this.#reading.thoughts === undefined;
  }

  #delta(answer: number, piece: Piece): object[] {
    if (piece.kind === "text") return [{ content: piece.text }];
    if (piece.kind === "thought") {
      return this.#reading.hidesThoughts ? [] : [{ reasoning_content: piece.text }];
    }
    const { index } = piece;
    const call = piece.kind === "call"
      ? {
        index,
        id: callId(this.#id, answer, index),
        type: "function",
        function: { name: piece.name, arguments: "" },
      }
      : { index, function: { arguments: piece.text } };
    return [{ tool_calls: [call] }];
  }

  #chunk(index: number, delta: object, logprobs: unknown = null, end: object = { finish_reason: null }) {
    return { ...this.#chunkHead, choices: [{ index, delta, logprobs, ...end }], ...this.#null };
  }
}

/** Clients wait for calls where the reason is that there are some. */
function calledEnding(result: GenerationResult, hasCalls: boolean) {
  const end = ending(result);
  return hasCalls && end.finish_reason === "stop" ? { ...end, finish_reason: "tool_calls" } : end;
}
