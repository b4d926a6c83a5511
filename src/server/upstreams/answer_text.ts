import { HERMES } from "../../grammar/tools/format.ts";
import { THINK } from "../../grammar/thoughts/format.ts";
import { UpstreamFailure } from "./failure.ts";
import type { Chunk } from "./meter.ts";

/** What a part of an answer may have. Nothing of it is certain. */
interface Delta {
  readonly content?: unknown;
  readonly reasoning_content?: unknown;
  readonly reasoning?: unknown;
  readonly refusal?: unknown;
  readonly tool_calls?: unknown;
}

/**
 * Writes what comes apart, thoughts, text and calls of tools, as one text, as a model does: every dialect knows how to
 * take that apart again in its own way.
 */
export class AnswerText {
  #place: "start" | "thought" | "said" = "start";
  /** The call that is being written. */
  #call: number | null = null;
  #calls = 0;
  #hasArguments = false;

  /** What a chunk adds. Throws an UpstreamFailure for calls that come mixed. */
  push({ choices }: Chunk): string {
    if (!Array.isArray(choices)) return "";
    const delta = (choices[0]?.delta ?? {}) as Delta;
    const thought = textOf(delta.reasoning_content ?? delta.reasoning);
    const said = textOf(delta.content) + textOf(delta.refusal);
    const calls = Array.isArray(delta.tool_calls) ? delta.tool_calls : [];
    return this.#think(thought) + this.#say(said) + calls.map((call) => this.#write(call)).join("");
  }

  /** What is still open. */
  end(): string {
    return this.#place === "thought" ? THINK.close : this.#endCall();
  }

  #think(text: string): string {
    if (text === "" || this.#place === "said") return "";
    const open = this.#place === "start" ? THINK.open : "";
    this.#place = "thought";
    return open + text;
  }

  #say(text: string): string {
    return text === "" ? "" : this.#endThought() + this.#endCall() + text;
  }

  #endThought(): string {
    const was = this.#place;
    this.#place = "said";
    return was === "thought" ? `${THINK.close}\n\n` : "";
  }

  #endCall(): string {
    if (this.#call === null) return "";
    this.#call = null;
    return (this.#hasArguments ? "" : "{}") + HERMES.call[2];
  }

  #write(call: unknown): string {
    if (typeof call !== "object" || call === null) return "";
    const { index, function: called } = call as {
      index?: unknown;
      function?: { name?: unknown; arguments?: unknown };
    };
    const place = typeof index === "number" ? index : this.#call ?? this.#calls;
    const name = textOf(called?.name);
    let text = this.#endThought();
    if (place !== this.#call) {
      if (place < this.#calls || name === "") {
        throw new UpstreamFailure("malformed", "calls of tools that come mixed");
      }
      text += this.#endCall() + HERMES.trigger + HERMES.call[0] + JSON.stringify(name).slice(1, -1) +
        HERMES.call[1];
      this.#call = place;
      this.#calls = place + 1;
      this.#hasArguments = false;
    }
    const more = textOf(called?.arguments);
    if (more !== "") this.#hasArguments = true;
    return text + more;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
