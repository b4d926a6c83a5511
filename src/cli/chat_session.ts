/** The loop of `kumi chat`: reads a line, answers it, keeps the conversation. @module */

import type { GenerationResult } from "../client/generation.ts";
import type { GenerationOptions } from "../protocol/options/generation.ts";
import { SAMPLING } from "../protocol/options/sampling.ts";
import type { Model } from "../client/model.ts";
import type { ChatMessage } from "../protocol/request.ts";
import { harmless, indented, oneLine } from "../process/harmless.ts";
import { AnswerOutput } from "./answer_output.ts";
import type { LineEvent, LineReader } from "./line_reader.ts";
import { writeAll } from "./progress.ts";
import { renderSpeed } from "./speed.ts";

/** How a session behaves. */
export interface ChatSessionOptions {
  readonly sampling: GenerationOptions;
  readonly system?: string;
  readonly showSpeed: boolean;
}

const HELP = `  /help              this text
  /reset             forget the conversation
  /system TEXT       set the system message and start over; without TEXT remove it
  /temperature T     how freely words are chosen: 0 always takes the likeliest
  /retry             answer the last message again
  /stats             speed of the last answer; always shown with --stats
  /exit              end, as Ctrl-D does
  A line that ends with \\ goes on in the next one.`;

const PROMPT = "> ";
const CONTINUED_PROMPT = "… ";

/** One conversation. Input, output and the model come from outside, so that tests can drive it. */
export class ChatSession {
  readonly #model: Model;
  readonly #reader: LineReader;
  readonly #showSpeed: boolean;
  #sampling: GenerationOptions;
  #system: string | undefined;
  #messages: ChatMessage[] = [];
  #last: GenerationResult | undefined;

  constructor(model: Model, reader: LineReader, options: ChatSessionOptions) {
    this.#model = model;
    this.#reader = reader;
    this.#sampling = options.sampling;
    this.#system = options.system;
    this.#showSpeed = options.showSpeed;
  }

  /** Runs until the input ends or the user leaves; resolves to the exit status. */
  async run(): Promise<number> {
    let interrupts = 0;
    for (;;) {
      const event = await this.#readMessage();
      if (event.kind === "end") {
        if (this.#reader.interactive) print("\n");
        return 0;
      }
      if (event.kind === "interrupt") {
        if (++interrupts === 2) {
          print("\n");
          return 0;
        }
        this.#reader.discardLine();
        print("\n(Ctrl-C once more, Ctrl-D or /exit ends)\n");
        continue;
      }
      interrupts = 0;
      const text = event.text.trim();
      if (text === "") continue;
      if (text.startsWith("/")) {
        if (!await this.#command(text)) return 0;
      } else {
        await this.#answer(event.text);
      }
    }
  }

  /** A line, or several joined by backslashes. */
  async #readMessage(): Promise<LineEvent> {
    let text = "";
    for (;;) {
      const event = await this.#reader.next(text === "" ? PROMPT : CONTINUED_PROMPT);
      if (event.kind !== "line") {
        return text === "" || event.kind === "interrupt" ? event : { kind: "line", text };
      }
      if (!event.text.endsWith("\\")) return { kind: "line", text: text + event.text };
      text += event.text.slice(0, -1) + "\n";
    }
  }

  async #answer(content: string): Promise<void> {
    this.#messages.push({ role: "user", content });
    const abort = new AbortController();
    const output = new AnswerOutput();
    this.#reader.onInterrupt = () => abort.abort();
    try {
      const system: ChatMessage[] = this.#system === undefined
        ? []
        : [{ role: "system", content: this.#system }];
      const generation = this.#model.chat([...system, ...this.#messages], {
        ...this.#sampling,
        signal: abort.signal,
      });
      try {
        for await (const part of generation) output.write(part);
      } catch (error) {
        // A stopped answer is part of the conversation as far as it goes.
        if (!abort.signal.aborted) throw error;
      } finally {
        output.end();
      }
      const result = this.#last = await generation.result;
      this.#messages.push({ role: "assistant", content: result.text });
      print(result.finishReason === "abort" ? " … (stopped)\n" : "\n");
      if (result.finishReason === "length") {
        print("(cut: the limit of tokens or the context is reached; /reset starts over)\n");
      }
      if (this.#showSpeed) print(`(${renderSpeed(result)})\n`);
    } catch (error) {
      // The conversation goes on without the message that failed.
      this.#messages.pop();
      print(`\n${indented(error instanceof Error ? error.message : String(error))}\n`);
    } finally {
      this.#reader.onInterrupt = undefined;
    }
    if (this.#reader.interactive) print("\n");
  }

  /** Runs a slash command; false ends the session. */
  async #command(text: string): Promise<boolean> {
    const [name, ...rest] = text.split(/\s+/);
    const argument = rest.join(" ");
    switch (name) {
      case "/exit":
      case "/quit":
      case "/bye":
        return false;
      case "/help":
        print(`${HELP}\n`);
        return true;
      case "/reset":
      case "/clear":
        this.#messages = [];
        print("(the conversation is forgotten)\n");
        return true;
      case "/system":
        this.#system = argument === "" ? undefined : argument;
        this.#messages = [];
        print(
          `(${this.#system === undefined ? "no system message" : "system message set"}, starting over)\n`,
        );
        return true;
      case "/temperature":
        this.#setTemperature(argument);
        return true;
      case "/retry":
        await this.#retry();
        return true;
      case "/stats":
        print(this.#last === undefined ? "(no answer yet)\n" : `(${renderSpeed(this.#last)})\n`);
        return true;
      default:
        print(`(unknown command ${oneLine(name)}; /help lists them)\n`);
        return true;
    }
  }

  #setTemperature(argument: string): void {
    const value = Number(argument);
    const { min, max } = SAMPLING.temperature.kind;
    if (argument === "" || !(value >= min && value <= max)) {
      print(
        `(/temperature takes a number from ${min} to ${max}, current value is ${
          this.#sampling.temperature ?? "default"
        })\n`,
      );
      return;
    }
    this.#sampling = { ...this.#sampling, temperature: value };
    print(`(temperature ${value})\n`);
  }

  async #retry(): Promise<void> {
    const asked = this.#messages.findLastIndex((message) => message.role === "user");
    if (asked < 0) {
      print("(nothing to answer yet)\n");
      return;
    }
    const { content } = this.#messages[asked];
    this.#messages.length = asked;
    await this.#answer(content);
  }
}

function print(text: string): void {
  writeAll(Deno.stdout, harmless(text));
}
