/**
 * From a conversation to the token ids a model was trained on, through the chat template in its file.
 *
 * Text of the messages never becomes a control token: the template's own text is read with them, user text
 * without, but both together, so that for harmless messages the ids are those of the rendered text as a
 * whole.
 */

import { type Metadata } from "./metadata.ts";
import { TemplateError, TemplateRenderer } from "./template_renderer.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { chooseMarks, type OwnedText, unmark, UserMarks } from "./user_marks.ts";

export { TemplateError } from "./template_renderer.ts";

/** Roles a message may have. They are written into the prompt by templates, so there are no others. */
export const CHAT_ROLES = ["system", "developer", "user", "assistant", "tool"] as const;

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: typeof CHAT_ROLES[number];
  readonly content: string;
  /** What the assistant thought before it answered, for templates that show it. */
  readonly reasoning_content?: string;
}

/** What besides the messages shapes the prompt. */
export interface ChatTemplateOptions {
  /** End with the beginning of the assistant's turn. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** Value of `enable_thinking`, for templates that know it. Default: not set. */
  readonly enableThinking?: boolean;
  /** The date that templates may write. Default: now. */
  readonly now?: Date;
}

/** Bounds on a conversation. */
export const CHAT_LIMITS = { messages: 2048 } as const;

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
    const checked = checkMessages(messages);
    const now = options.now ?? new Date();
    const plain = this.#render(checked, options, now).toWellFormed();
    if (!checked.some((message) => textsOf(message).some((text) => this.#marks.needsMarks(text)))) {
      return { text: plain, userOwned: new Uint8Array(plain.length) };
    }
    const marks = chooseMarks([this.source, ...checked.flatMap(textsOf)]);
    const marked = (except: readonly string[]) => {
      const copies = checked.map((message) =>
        mapTexts(message, (text) => this.#marks.mark(text, marks, except))
      );
      return unmark(this.#render(copies, options, now).toWellFormed(), marks);
    };
    const all = marked([]);
    if (all.text === plain) return all;
    const most = marked(this.#harmless);
    return most.text === plain && sameItems(this.#controls(most), this.#controls(all)) ? most : all;
  }

  #render(messages: readonly ChatMessage[], options: ChatTemplateOptions, now: Date): string {
    const variables: Record<string, unknown> = {
      messages,
      ...this.#tokens,
      add_generation_prompt: options.addGenerationPrompt ?? true,
    };
    if (options.enableThinking !== undefined) variables.enable_thinking = options.enableThinking;
    try {
      return this.#renderer.render(variables, now);
    } catch (error) {
      // Some templates list tools without asking whether there are any. Jinja takes an undefined variable as
      // an empty list there, this interpreter fails; and an empty list for all would make others write about
      // tools.
      if (!(error instanceof TemplateError) || error.cause === undefined) throw error;
      return this.#renderer.render({ ...variables, tools: [] }, now);
    }
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

function checkMessages(messages: readonly ChatMessage[]): ChatMessage[] {
  if (messages.length === 0) throw new TemplateError("a conversation must have at least one message");
  if (messages.length > CHAT_LIMITS.messages) {
    throw new TemplateError(
      `a conversation must have at most ${CHAT_LIMITS.messages} messages: it has ${messages.length}`,
    );
  }
  return messages.map(({ role, content, reasoning_content }, index) => {
    if (!CHAT_ROLES.includes(role)) {
      throw new TemplateError(
        `the role of message ${index} must be one of ${CHAT_ROLES.join(", ")}: current value is ${
          JSON.stringify(role)
        }`,
      );
    }
    if (typeof content !== "string") {
      throw new TemplateError(`the content of message ${index} must be a string`);
    }
    if (reasoning_content !== undefined && typeof reasoning_content !== "string") {
      throw new TemplateError(`the reasoning_content of message ${index} must be a string`);
    }
    return mapTexts({ role, content, reasoning_content }, (text) => text.toWellFormed());
  });
}

function textsOf({ content, reasoning_content }: ChatMessage): string[] {
  return reasoning_content === undefined ? [content] : [content, reasoning_content];
}

function mapTexts(
  { role, content, reasoning_content }: ChatMessage,
  change: (text: string) => string,
): ChatMessage {
  const message = { role, content: change(content) };
  return reasoning_content === undefined
    ? message
    : { ...message, reasoning_content: change(reasoning_content) };
}

function sameItems(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
