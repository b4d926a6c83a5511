/** A language model of the AI SDK that runs in this process. @module */

import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
} from "@ai-sdk/provider";
import { callIdAfter } from "../client/conversation/calling.ts";
import { AnswerReader } from "../client/conversation/pieces.ts";
import type { Generation } from "../client/generation.ts";
import type { Model } from "../client/model.ts";
import { contentOf, endingOf, StreamWriter, usageOf } from "./answer.ts";
import { type Asked, toChat } from "./call_options.ts";
import { callError } from "./errors.ts";

/** What of a model is used. */
export type ChatModel = Pick<Model, "info" | "chat">;

/** Text, objects, tools: version 4 of the AI SDK's interface. */
export class KumiLanguageModel implements LanguageModelV4 {
  readonly specificationVersion = "v4";
  readonly provider = "kumi";
  readonly modelId: string;
  readonly supportedUrls: Record<string, RegExp[]> = {};
  readonly #model: ChatModel;

  constructor(modelId: string, model: ChatModel) {
    this.modelId = modelId;
    this.#model = model;
  }

  async doGenerate(call: LanguageModelV4CallOptions): Promise<LanguageModelV4GenerateResult> {
    const asked = toChat(call, this.#model.info);
    const { manner, messages, warnings } = asked;
    const result = await this.#begin(asked).result.catch((error) => {
      throw callError(error);
    });
    // The generation has what came by then, which may be all of it; the SDK wants the reason.
    call.abortSignal?.throwIfAborted();
    const content = contentOf(result, manner, (index) => callIdAfter(messages, index));
    return {
      content,
      finishReason: endingOf(result, content.some(({ type }) => type === "tool-call")),
      usage: usageOf(result),
      warnings,
      response: { modelId: this.modelId, timestamp: new Date() },
    };
  }

  /** Resolves when the request was taken; a refusal rejects, so that the SDK tries again. */
  async doStream(call: LanguageModelV4CallOptions): Promise<LanguageModelV4StreamResult> {
    const asked = toChat(call, this.#model.info);
    const accepted = Promise.withResolvers<void>();
    const generation = this.#begin(asked, accepted.resolve);
    generation.result.then(() => accepted.resolve(), (error) => accepted.reject(callError(error)));
    await accepted.promise;
    const parts = this.#parts(generation, asked);
    return {
      stream: new ReadableStream({
        async pull(controller) {
          try {
            const { done, value } = await parts.next();
            if (done) controller.close();
            else controller.enqueue(value);
          } catch (error) {
            controller.error(error);
          }
        },
        // Ends the answer, too.
        cancel: async () => void await parts.return(),
      }, { highWaterMark: 0 }),
    };
  }

  #begin({ messages, options }: Asked, onAccepted?: () => void): Generation {
    return this.#model.chat(messages, { ...options, ...onAccepted && { onAccepted } });
  }

  async *#parts(generation: Generation, asked: Asked): AsyncGenerator<LanguageModelV4StreamPart, void, void> {
    let reader: AnswerReader | undefined;
    const writer = new StreamWriter((index) => callIdAfter(asked.messages, index));
    yield { type: "stream-start", warnings: asked.warnings };
    yield { type: "response-metadata", modelId: this.modelId, timestamp: new Date() };
    for await (const text of generation) {
      reader ??= new AnswerReader(asked.manner, generation.thoughts);
      yield* writer.write(reader.push(text));
    }
    if (reader !== undefined) yield* writer.write(reader.end());
    yield* writer.close();
    const result = await generation.result;
    yield { type: "finish", usage: usageOf(result), finishReason: endingOf(result, writer.hasCalls) };
  }
}
