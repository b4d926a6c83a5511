/** A process that answers one JSON object a line with one JSON object a line. @module */

/** How to start a {@linkcode LineProcess}. */
export interface LineProcessOptions {
  /** What messages call it. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly stderr?: "inherit" | "null";
}

/** The process did not start, ended, or reported an error. */
export class LineProcessError extends Error {
  override readonly name = "LineProcessError";

  /** `exitCode`: undefined while it runs, and where it never did. */
  constructor(message: string, readonly exitCode?: number, options?: ErrorOptions) {
    super(message, options);
  }
}

/** `await using` closes its input and waits for its end. */
export class LineProcess implements AsyncDisposable {
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #pending = "";

  /** Throws LineProcessError where there is no such program. */
  constructor({ name, command, args, stderr = "inherit" }: LineProcessOptions) {
    this.#name = name;
    const options: Deno.CommandOptions = { args: [...args], stdin: "piped", stdout: "piped", stderr };
    try {
      this.#child = new Deno.Command(command, options).spawn();
    } catch (cause) {
      throw new LineProcessError(`cannot run ${command}`, undefined, { cause });
    }
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /**
   * Sends a command and resolves to the reply. An `error` in it, and the process's end, are
   * LineProcessErrors.
   */
  async call<Reply>(command: Record<string, unknown>): Promise<Reply> {
    const line = new TextEncoder().encode(JSON.stringify(command) + "\n");
    await this.#writer.write(line).catch(() => {}); // has it ended? then so do its lines
    for (;;) {
      const end = this.#pending.indexOf("\n");
      if (end >= 0) {
        const text = this.#pending.slice(0, end);
        this.#pending = this.#pending.slice(end + 1);
        if (!text.startsWith("{")) continue; // a native library may print a notice
        const reply = JSON.parse(text);
        if (reply.error !== undefined) throw new LineProcessError(`${this.#name}: ${reply.error}`);
        return reply;
      }
      const { done, value } = await this.#lines.read();
      if (done) {
        const { code } = await this.#child.status;
        throw new LineProcessError(`${this.#name} ended with status ${code} and no reply`, code);
      }
      this.#pending += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#child.status;
    await this.#lines.cancel().catch(() => {});
  }
}
