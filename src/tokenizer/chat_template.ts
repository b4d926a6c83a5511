/**
 * From a conversation to the token ids a model was trained on, through the chat template in its file.
 *
 * Text of the messages never becomes a control token: the template's own text is read with them, user text
 * without, but both together, so that for harmless messages the ids are those of the rendered text as a
 * whole.
 */

import {
  type ChatMessage,
  checkMessages,
  continuesFinal,
  formsOf,
  keepsTools,
  mapTexts,
  textsOf,
} from "./conversation.ts";
import { formatOf } from "../grammar/tools/format.ts";
import { withToolPrompt } from "../grammar/tools/prompt.ts";
import { mapTools, textsIn } from "./conversation.ts";
import { cutAtSentinel, withSentinel } from "./final_message.ts";
import { type Metadata } from "./metadata.ts";
import { TemplateError } from "./error.ts";
import {
  type ChatTemplateOptions,
  type ChatVariables,
  REASONING_EFFORTS,
  TEMPLATE_WORDS,
} from "./template_options.ts";
import { TemplateRenderer } from "./template_renderer.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { chooseMarks, type OwnedText, unmark, UserMarks } from "./user_marks.ts";

export type { ChatMessage, ToolCall } from "./conversation.ts";

/** A template that does not write the last message's text, so that it cannot be continued. */
class ContinuationError extends TemplateError {}

/** How a conversation is rendered, with its defaults filled in. */
interface Rendering extends ChatTemplateOptions {
  readonly now: Date;
  /** Whether the prompt ends within the last message. */
  readonly continues: boolean;
}

const CHATML = "{% for message in messages %}" +
  "{{'<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n'}}" +
  "{% endfor %}{% if add_generation_prompt %}{{'<|im_start|>assistant\n'}}{% endif %}";

export class ChatTemplate {
  /** The Jinja source. */
  readonly source: string;
  readonly #tokenizer: Tokenizer;
  readonly #renderer: TemplateRenderer;
  readonly #marks: UserMarks;
  readonly #harmless: readonly string[];
  readonly #tokens: { bos_token: string; eos_token: string };

  /** Throws TemplateError for a template that is no valid Jinja. */
  constructor(source: string, tokenizer: Tokenizer) {
    this.source = source;
    this.#tokenizer = tokenizer;
    this.#renderer = new TemplateRenderer(source);
    this.#marks = new UserMarks(tokenizer.controlTexts().values());
    this.#harmless = this.#marks.harmless(this.#renderer.literals);
    const textOf = (id: number | undefined) => id === undefined ? "" : tokenizer.tokenText(id);
    this.#tokens = { bos_token: textOf(tokenizer.bos), eos_token: textOf(tokenizer.eos) };
  }

  /** Token ids of the prompt, with BOS where the model wants it. Throws TemplateError. */
  encode(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): number[] {
    const { text, userOwned } = this.renderOwned(messages, options);
    const ids = this.#tokenizer.encodeMarked(text, userOwned);
    const { bos, addBos } = this.#tokenizer;
    // Templates that write BOS themselves have it already.
    if (addBos && ids[0] !== bos) ids.unshift(bos!);
    return ids;
  }

  /** The prompt as text. Throws TemplateError. */
  render(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    return this.renderOwned(messages, options).text;
  }

  /**
   * The prompt as text, with the characters that users wrote and that could matter to control tokens.
   *
   * Usually the marks change nothing about what the template writes. Where it looks into messages for
   * constants of its own (`'</think>' in content`), these are left unmarked if that gives the same control
   * tokens. If all fails, the prompt is the one with all marks: safe, though the template may have overlooked
   * such a constant.
   */
  renderOwned(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): OwnedText {
    const { tools = [] } = options;
    const hasPrompt = tools.length > 0 && formatOf(this.source) === undefined;
    const checked = checkMessages(hasPrompt ? withToolPrompt(messages, tools) : messages);
    const continues = continuesFinal(checked, options);
    const now = options.now ?? new Date();
    try {
      return this.#renderForm(checked, { ...options, now, continues });
    } catch (error) {
      // Nobody has asked for it in so many words: a new message is better than none.
      if (!(error instanceof ContinuationError) || options.continueFinalMessage === true) throw error;
      return this.#renderForm(checked, { ...options, now, continues: false });
    }
  }

  /**
   * The first form of the conversation that the template takes without leaving out anything; the last one
   * anyway.
   */
  #renderForm(messages: readonly ChatMessage[], how: Rendering): OwnedText {
    const forms = formsOf(messages, this.source);
    for (const form of forms.slice(0, -1)) {
      try {
        if (keepsTools(this.#render(form, how), messages)) return this.#renderMarked(form, how);
      } catch (error) {
        if (!(error instanceof TemplateError)) throw error;
      }
    }
    return this.#renderMarked(forms.at(-1)!, how);
  }

  #renderMarked(messages: readonly ChatMessage[], how: Rendering): OwnedText {
    const { tools = [] } = how;
    const texts = [
      this.source,
      ...messages.flatMap(textsOf),
      ...tools.length === 0 ? [] : [JSON.stringify(tools)],
    ];
    const sentinel = how.continues ? chooseMarks(texts).after : undefined;
    const whole = (
      conversation: readonly ChatMessage[],
      read: (text: string) => OwnedText,
      how: Rendering,
    ): OwnedText => {
      if (sentinel === undefined) return read(this.#render(conversation, how));
      const owned = read(this.#render(withSentinel(conversation, sentinel), how));
      const cut = cutAtSentinel(owned, sentinel, messages.at(-1)!.content);
      if (cut !== null) return cut;
      throw new ContinuationError(
        "the chat template does not write the last message in a way that can be continued",
      );
    };
    const plain = whole(messages, (text) => ({ text, userOwned: new Uint8Array(text.length) }), how);
    const owned = [...messages.flatMap(textsOf), ...textsIn(tools)];
    if (!owned.some((text) => this.#marks.needsMarks(text))) {
      return plain;
    }
    const marks = chooseMarks(sentinel === undefined ? texts : [...texts, sentinel]);
    const marked = (except: readonly string[]) => {
      const copies = messages.map((message) =>
        mapTexts(message, (text) => this.#marks.mark(text, marks, except))
      );
      const marked = { ...how, tools: mapTools(tools, (text) => this.#marks.mark(text, marks, except)) };
      return whole(copies, (text) => unmark(text, marks), marked);
    };
    const all = marked([]);
    if (all.text === plain.text) return all;
    const most = marked(this.#harmless);
    return most.text === plain.text && sameItems(this.#controls(most), this.#controls(all)) ? most : all;
  }

  /** What the template writes, well formed. */
  #render(messages: readonly ChatMessage[], { now, continues, ...options }: Rendering): string {
    const { tools = [] } = options;
    const variables: Record<string, unknown> = {
      ...checkVariables(options.templateVariables ?? {}),
      messages: /\.thinking\b/.test(this.source) ? messages.map(withThinking) : messages,
      ...this.#tokens,
      add_generation_prompt: options.addGenerationPrompt ?? !continues,
    };
    if (tools.length > 0) variables.tools = variables.xml_tools = tools;
    // Some templates call it so, some so.
    const thinks = options.enableThinking;
    if (thinks !== undefined) variables.enable_thinking = variables.thinking = thinks;
    const effort = options.reasoningEffort;
    if (effort !== undefined && REASONING_EFFORTS.includes(effort)) variables.reasoning_effort = effort;
    return this.#renderer.render(variables, now).toWellFormed();
  }

  #controls({ text, userOwned }: OwnedText): number[] {
    return this.#tokenizer.encodeMarked(text, userOwned).filter((id) => this.#tokenizer.isControl(id));
  }
}

/**
 * The chat template of a model file (`tokenizer.chat_template`); ChatML for files without one whose
 * vocabulary has its tokens. Throws TemplateError when there is neither, or when the template is no valid
 * Jinja.
 */
export function createChatTemplate(metadata: Metadata, tokenizer: Tokenizer): ChatTemplate {
  const source = metadata.get("tokenizer.chat_template");
  if (typeof source === "string" && source !== "") return new ChatTemplate(source, tokenizer);
  if (source !== undefined && source !== "") {
    throw new TemplateError("tokenizer.chat_template must be a string");
  }
  if (tokenizer.controlId("<|im_start|>") !== undefined && tokenizer.controlId("<|im_end|>") !== undefined) {
    return new ChatTemplate(CHATML, tokenizer);
  }
  throw new TemplateError(
    "this model has no chat template (tokenizer.chat_template): it continues text but does not chat; use --raw",
  );
}

/** Throws a TemplateError for a text that could steer the model. */
function checkVariables(variables: ChatVariables): ChatVariables {
  for (const [name, value] of Object.entries(variables)) {
    const isWord = TEMPLATE_WORDS.some((word) => word === value);
    if (typeof value !== "boolean" && typeof value !== "number" && !isWord) {
      throw new TemplateError(
        `the template variable ${JSON.stringify(name)} must be a boolean, a number, or one of ${
          TEMPLATE_WORDS.join(", ")
        }`,
      );
    }
  }
  return variables;
}

/** Thoughts by another name that templates have for them: not beside a content where there are calls, as one refuses that. */
function withThinking(message: ChatMessage): ChatMessage & { thinking?: string } {
  const { reasoning_content: thinking, content, tool_calls = [] } = message;
  if (thinking === undefined || (tool_calls.length > 0 && content !== "")) return message;
  return { ...message, thinking };
}

function sameItems(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
