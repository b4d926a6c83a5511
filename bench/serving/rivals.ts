/**
 * What serves the same requests one at a time. Each is a process of its own, idle while others are measured.
 * @module
 */

import { LineProcess, LineProcessError } from "../../src/cli/bench/peer/line_process.ts";
import { Peer } from "../../src/cli/bench/peer/peer.ts";
import { LLAMA_CPP, PEER_PACKAGE } from "../../src/cli/bench/peer/programs.ts";
import { randomModelFile } from "../../src/cli/bench/random_model_file.ts";
import { modelShape } from "../../src/models/shapes.ts";
import { chooseStd, stdFlags } from "../../src/setup/import_map.ts";
import type { Request } from "./requests.ts";

/** Names of the rivals. */
export const RIVALS = ["pytorch", "kumi-bf16", "kumi-quantised", "llama.cpp"] as const;
export type RivalName = typeof RIVALS[number];

/** What a rival needs to know. */
export interface RivalSetting {
  readonly shape: string;
  /** Of the quantised model. */
  readonly format: string;
  /** Most tokens of a prompt and its answer. */
  readonly context: number;
  readonly threads: number;
  /** Python with torch. */
  readonly python: string;
}

/** Something that serves one request at a time. */
export interface Rival extends AsyncDisposable {
  readonly title: string;
  /** Versions and settings; known after the first request. */
  readonly how: string;
  /**
   * Serves a request and resolves to its seconds, one for each of the rival's modes, of which the best
   * counts.
   */
  serve(request: Request): Promise<number[]>;
}

/** Starts a rival. Throws an error that says what to install where it cannot run. */
export async function startRival(name: RivalName, setting: RivalSetting): Promise<Rival> {
  switch (name) {
    case "pytorch":
      return new ProcessRival("PyTorch bf16, one at a time", pyTorch(setting), torchAdvice(setting.python));
    case "kumi-bf16":
      return new ProcessRival("kumi bf16, one at a time", await kumi(setting, "bf16"));
    case "kumi-quantised":
      return new ProcessRival(`kumi ${setting.format}, one at a time`, await kumi(setting, setting.format));
    case "llama.cpp":
      return await PeerRival.start(setting);
  }
}

function pyTorch({ shape, context, threads, python }: RivalSetting): LineProcess {
  const script = `${import.meta.dirname}/pytorch_llama.py`;
  const args = [script, JSON.stringify(modelShape(shape)), `${context}`, `${threads}`];
  try {
    return new LineProcess({ name: "PyTorch", command: python, args });
  } catch (cause) {
    throw new Error(`cannot run ${python}. ${torchAdvice(python)}`, { cause });
  }
}

function torchAdvice(python: string): string {
  return `${python} has no torch. To install it: python3 -m venv torch && torch/bin/pip install torch; then --python ` +
    "torch/bin/python, or leave this rival out with --without pytorch";
}

async function kumi({ shape, context, threads }: RivalSetting, format: string): Promise<LineProcess> {
  const path = await randomModelFile(shape, format);
  const flags = ["--quiet", ...stdFlags(await chooseStd()), "--allow-all"];
  const script = `${import.meta.dirname}/kumi_process.ts`;
  const args = ["run", ...flags, script, path, `${context}`, `${threads}`];
  return new LineProcess({ name: `kumi ${format}`, command: Deno.execPath(), args });
}

/** Status of a script that lacks a package. */
const MISSING_PACKAGE = 3;

/** A process that answers a request with its seconds. */
class ProcessRival implements Rival {
  how = "";

  constructor(readonly title: string, readonly process: LineProcess, readonly advice = "") {}

  async serve({ prompt, answerTokens }: Request): Promise<number[]> {
    try {
      const command = { prompt: Array.from(prompt), answerTokens };
      const { seconds, how } = await this.process.call<{ seconds: number; how: string }>(command);
      this.how = how;
      return [seconds];
    } catch (error) {
      const isMissing = error instanceof LineProcessError && error.exitCode === MISSING_PACKAGE;
      throw isMissing ? new Error(this.advice, { cause: error }) : error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}

/** llama.cpp, with flash attention off and on. */
class PeerRival implements Rival {
  readonly how = `${PEER_PACKAGE}, KV f16, ubatch 512, flash attention off and on, the better`;

  private constructor(
    readonly title: string,
    readonly peer: Peer,
    readonly setting: RivalSetting,
  ) {}

  static async start(setting: RivalSetting): Promise<PeerRival> {
    const path = await randomModelFile(setting.shape, setting.format);
    const peer = await Peer.start();
    await peer.load(path);
    return new PeerRival(`llama.cpp ${setting.format}, one at a time`, peer, setting);
  }

  async serve({ prompt, answerTokens }: Request): Promise<number[]> {
    const { threads, context } = this.setting;
    const seconds: number[] = [];
    for (const mode of LLAMA_CPP.modes("f16")) {
      await this.peer.open({ threads, context, mode });
      await this.peer.prefill(prompt.subarray(0, 8)); // what a new context does once
      const prefill = await this.peer.prefill(prompt);
      // The first answer token comes from the prompt's logits.
      const decode = await this.peer.decode([prompt.subarray(0, answerTokens - 1)], prompt.length);
      seconds.push(prefill + decode);
    }
    return seconds;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer[Symbol.asyncDispose]();
  }
}
