/** An engine in a process of its own. @module */

import { wallClock } from "../../protocol/clock.ts";
import { FrameError, frameOf, FrameReader } from "../../protocol/frames.ts";
import {
  CONTROL_STEP_IDS,
  CONTROL_STEP_IDS_MAX,
  CONTROL_WORDS,
  ControlWord,
  type FromEngine,
  type ToEngine,
} from "../../protocol/messages.ts";
import {
  cloneFrame,
  FromProcess,
  type Hello,
  prepareClones,
  readClone,
  readIds,
  ToProcess,
} from "../../protocol/process_messages.ts";
import { VERSION } from "../../protocol/version.ts";
import type { Blame, Transport } from "../transport.ts";
import { type EndVerdict, judgeEnd } from "./ending.ts";
import { type EngineCommand, spawnEngine } from "./engine_command.ts";
import { LogLines } from "./log_lines.ts";

/** Clocks of two processes that differ by less are the same clock. */
const CLOCK_SKEW_MS = 20;

/** How an engine's process is started. */
export interface ProcessOptions {
  readonly command: EngineCommand;
  /** Gets what the process says of itself: the lines of its stderr, and how it ended. */
  readonly log?: (line: string) => void;
}

/** An engine in a process of its own. Its death, whatever it is, ends nothing here. */
export class ProcessTransport implements Transport {
  /** What the process has told: it sees nothing of this memory. */
  readonly control = new SharedArrayBuffer(CONTROL_WORDS * Int32Array.BYTES_PER_ELEMENT);
  readonly isLocal = false;
  readonly #words = new Int32Array(this.control);
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #log: (line: string) => void;
  readonly #lines: LogLines;
  /** Settles when the process has ended and all that it has said was read. */
  readonly #gone: Promise<void>;
  #onMessage: (message: FromEngine) => void = () => {};
  #onDeath: (reason: string, blame: Blame) => void = () => {};
  /** How it ended where its end does not say so by itself. */
  #verdict: EndVerdict | null = null;
  #isTerminated = false;
  /** What its clock shows more than the one here, in ms. */
  #clockSkewMs = 0;

  /** Throws Deno's errors where the program may not be started, or is not there. */
  constructor({ command, log = () => {} }: ProcessOptions) {
    prepareClones();
    this.#child = spawnEngine(command);
    this.#log = log;
    this.#writer = this.#child.stdin.getWriter();
    // Writes fail once it has gone, and that is told otherwise.
    this.#writer.closed.catch(() => {});
    this.#lines = new LogLines(log);
    this.#gone = this.#watch();
  }

  /** Of the process. */
  get pid(): number {
    return this.#child.pid;
  }

  post(message: ToEngine): void {
    this.#write(cloneFrame(ToProcess.message, this.#inItsTime(message)));
  }

  interrupt(): void {
    this.#write(frameOf(ToProcess.interrupt));
  }

  listen(onMessage: (message: FromEngine) => void, onDeath: (reason: string, blame: Blame) => void): void {
    this.#onMessage = onMessage;
    this.#onDeath = onDeath;
  }

  terminate(): Promise<void> {
    if (!this.#isTerminated) {
      this.#isTerminated = true;
      this.#kill();
    }
    return this.#gone;
  }

  #write(frame: Uint8Array): void {
    this.#writer.write(frame).catch(() => {});
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }

  /** Requests say when they were made: by the clock of whoever reads them. */
  #inItsTime(message: ToEngine): ToEngine {
    if (message.type !== "work" || this.#clockSkewMs === 0) return message;
    const submittedAt = message.request.submittedAt + this.#clockSkewMs;
    return { ...message, request: { ...message.request, submittedAt } };
  }

  async #watch(): Promise<void> {
    const logged = this.#lines.read(this.#child.stderr);
    // What it has said before its end counts: the pipe still holds that when the process is gone.
    await this.#readAll();
    const end = await this.#child.status;
    await logged;
    await this.#writer.abort().catch(() => {});
    if (this.#isTerminated) return;
    const { reason, blame } = this.#verdict ?? judgeEnd(end);
    const { lastWords } = this.#lines;
    this.#log(`process ${this.pid} is gone: ${reason}`);
    this.#onDeath(lastWords === "" ? reason : `${reason}; it said: ${lastWords}`, blame);
  }

  /** Frames, until the process closes its end of the pipe or says what cannot be. */
  async #readAll(): Promise<void> {
    const reader = new FrameReader((kind, payload) => this.#receive(kind, payload));
    try {
      for await (const bytes of this.#child.stdout) reader.push(bytes);
    } catch (error) {
      const what = error instanceof FrameError ? error.message : `its messages cannot be read: ${error}`;
      this.#giveUp(what, "step");
    }
  }

  #giveUp(reason: string, blame: Blame): void {
    this.#verdict ??= { reason, blame };
    this.#kill();
  }

  #receive(kind: number, payload: Uint8Array<ArrayBuffer>): void {
    switch (kind) {
      case FromProcess.message:
        return this.#deliver(payload);
      case FromProcess.messageAfterStep:
        this.#noteStep([]);
        return this.#deliver(payload);
      case FromProcess.step:
        return this.#noteStep(readIds(payload));
      case FromProcess.beat:
        this.#words[ControlWord.heartbeat]++;
        return;
      case FromProcess.hello:
        return this.#greet(readClone(payload) as Hello);
      case FromProcess.died:
        this.#verdict ??= { reason: new TextDecoder().decode(payload), blame: "step" };
        return;
      default:
        throw new FrameError(`A frame from the engine has the kind ${kind}, which is none`);
    }
  }

  /** An error of whoever listens is theirs, as it is where a worker's messages are handled. */
  #deliver(payload: Uint8Array): void {
    const message = readClone(payload) as FromEngine;
    try {
      this.#onMessage(message);
    } catch (error) {
      reportError(error);
    }
  }

  #noteStep(ids: readonly number[]): void {
    const count = Math.min(ids.length, CONTROL_STEP_IDS_MAX);
    for (let i = 0; i < count; i++) this.#words[CONTROL_STEP_IDS + i] = ids[i];
    this.#words[ControlWord.stepRequests] = count;
    this.#words[ControlWord.heartbeat]++;
  }

  #greet({ version, clock }: Hello): void {
    if (version !== VERSION) {
      // Another version may compute other bits, and know other messages.
      this.#giveUp(`its process is of kumi ${version}, and this one of ${VERSION}: start anew`, "nobody");
      return;
    }
    const skewMs = clock - wallClock();
    this.#clockSkewMs = Math.abs(skewMs) < CLOCK_SKEW_MS ? 0 : skewMs;
  }
}
