/** Starts and orders the process that a soak watches. @module */

import { LOCAL_MAP } from "../../src/setup/import_map.ts";
import { ROOT } from "../../src/setup/paths.ts";
import type { SoakOrder } from "./child.ts";

/** The process that is watched. */
export class SoakChild implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: Deno.ChildProcess, lines: AsyncIterator<string>, url: string) {
    this.url = url;
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#lines = lines;
  }

  /** `collect`: let it collect garbage before it tells its figures. */
  static async start(options: object, collect = true): Promise<SoakChild> {
    const map = Deno.env.get("KUMI_STD") === "local" ? [`--import-map=${LOCAL_MAP}`] : [];
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-lock", `--config=${ROOT}/deno.json`, ...map, "--allow-all"],
        ...[
          ...collect ? ["--v8-flags=--expose-gc"] : [],
          `${ROOT}/bench/soak/child.ts`,
          JSON.stringify(options),
        ],
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = linesOf(child.stdout);
    const { value } = await lines.next();
    if (value === undefined) throw new Error("the server did not start");
    return new SoakChild(child, lines, JSON.parse(value).url);
  }

  async order(order: SoakOrder): Promise<unknown> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify(order) + "\n"));
    const { value } = await this.#lines.next();
    if (value === undefined) throw new Error("the server has ended");
    return JSON.parse(value).answer;
  }

  /** Ends it at once: a server that holds on to something might never end by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#writer.close().catch(() => {});
    await this.#child.status;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
