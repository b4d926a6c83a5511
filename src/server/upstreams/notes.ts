import { oneLine } from "../../process/harmless.ts";
import { printNote } from "../../process/print.ts";
import { UpstreamFailure } from "./failure.ts";
import type { Metered } from "./meter.ts";

/** The same trouble of an upstream is told of again after so long. */
const AGAIN_MS = 60_000;

/** Tells who runs the server what is wrong with upstreams, each thing once a minute at most. */
export class UpstreamNotes {
  readonly #toldAt = new Map<string, number>();
  readonly #write: (line: string) => void;
  readonly #now: () => number;

  constructor(write: (line: string) => void = printNote, now: () => number = () => performance.now()) {
    this.#write = write;
    this.#now = now;
  }

  /** A request was not answered. */
  failed(name: string, error: unknown): void {
    if (!(error instanceof UpstreamFailure)) return;
    this.#tell(
      `${name} ${error.kind}`,
      `kumi: upstream "${name}" failed (${error.kind}): ${oneLine(error.message)}`,
    );
  }

  /** It says of its tokens what cannot be right. */
  doubted(name: string, { told, counted }: Pick<Metered, "told" | "counted">): void {
    if (told === undefined) return;
    const of = (tokens: { promptTokens: number; answerTokens: number }) =>
      `${tokens.promptTokens} tokens of a prompt and ${tokens.answerTokens} of an answer`;
    this.#tell(
      `${name} usage`,
      `kumi: upstream "${name}" tells of ${of(told)}, but about ${of(counted)} passed, which count`,
    );
  }

  #tell(key: string, line: string): void {
    const now = this.#now();
    if (now - (this.#toldAt.get(key) ?? -Infinity) < AGAIN_MS) return;
    this.#toldAt.set(key, now);
    this.#write(line);
  }
}
