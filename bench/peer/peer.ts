/**
 * llama.cpp as a measuring partner: a node process that speaks the line protocol of `llamacpp.mjs`.
 * A development tool; the product never loads it.
 * @module
 */

const PACKAGE = "node-llama-cpp@3.22.1";
const HERE = import.meta.dirname!;
const INSTALL_FOLDER = `${HERE}/../../.tools/peer`;

/** How the peer loads a file. `kv` is the KV cache's type, `flash` turns flash attention on. */
export interface PeerLoadOptions {
  readonly file: string;
  readonly threads: number;
  readonly context: number;
  readonly flash?: boolean;
  readonly kv?: "F16" | "F32";
}

/** What the peer thinks of each next token. */
export interface PeerScore {
  readonly greedy: number[];
  readonly greedyLogprob: number[];
  readonly logprob: number[];
}

/** One llama.cpp process; `using` ends it. */
export class Peer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #pending = "";

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Installs the package with npm on first use (needs node, npm and the registry), then starts the process. */
  static async start(): Promise<Peer> {
    await install();
    const child = new Deno.Command("node", {
      args: [`${INSTALL_FOLDER}/llamacpp.mjs`],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    return new Peer(child);
  }

  load(options: PeerLoadOptions): Promise<{ system: string; contextSize: number }> {
    return this.#call({ cmd: "load", ...options });
  }

  /** Seconds for a whole prompt. */
  async prefill(tokens: readonly number[]): Promise<number> {
    return (await this.#call<{ seconds: number }>({ cmd: "prefill", tokens })).seconds;
  }

  /** Seconds for feeding `tokens` one a step after `depth` tokens. */
  async decode(tokens: readonly number[], depth: readonly number[] = []): Promise<number> {
    return (await this.#call<{ seconds: number }>({ cmd: "decode", tokens, depth })).seconds;
  }

  /** The greedy next token, its log-probability and the actual next token's, at each position but the last. */
  score(tokens: readonly number[]): Promise<PeerScore> {
    return this.#call({ cmd: "score", tokens });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#child.status;
    await this.#lines.cancel().catch(() => {});
  }

  async #call<Reply>(command: Record<string, unknown>): Promise<Reply> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify(command) + "\n"));
    for (;;) {
      const end = this.#pending.indexOf("\n");
      if (end >= 0) {
        const line = this.#pending.slice(0, end);
        this.#pending = this.#pending.slice(end + 1);
        if (!line.startsWith("{")) continue; // the native library may print a notice
        const reply = JSON.parse(line);
        if (reply.error !== undefined) throw new Error(`llama.cpp: ${reply.error}`);
        return reply;
      }
      const { done, value } = await this.#lines.read();
      if (done) throw new Error("llama.cpp's process ended without a reply");
      this.#pending += value;
    }
  }
}

async function install(): Promise<void> {
  await Deno.mkdir(INSTALL_FOLDER, { recursive: true });
  // The script must lie beside node_modules for node to resolve the package.
  await Deno.copyFile(`${HERE}/llamacpp.mjs`, `${INSTALL_FOLDER}/llamacpp.mjs`);
  try {
    await Deno.stat(`${INSTALL_FOLDER}/node_modules/node-llama-cpp`);
    return;
  } catch {
    console.error(`installing ${PACKAGE} for the comparison …`);
  }
  const { success, stderr } = await new Deno.Command("npm", {
    args: ["install", "--prefix", INSTALL_FOLDER, "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`npm could not install ${PACKAGE}: ${new TextDecoder().decode(stderr)}`);
}
