/**
 * The main thread of an engine's process: passes on what comes on standard input to the engine's thread, which alone
 * computes, and what it says goes to standard output. It never waits for the engine, so that an interruption
 * arrives in the middle of a step and the process ends at once when whoever started it has gone.
 * @module
 */

import { wallClock } from "../protocol/clock.ts";
import { frameOf, FrameReader } from "../protocol/frames.ts";
import { CONTROL_WORDS, ControlWord } from "../protocol/messages.ts";
import { cloneFrame, FromProcess, type Hello, ToProcess } from "../protocol/process_messages.ts";
import { VERSION } from "../protocol/version.ts";
import { keepStdout, writeFrame } from "./process_output.ts";

/** What the engine's thread gets: first the memory that it shares with this one, then messages as they were written. */
export type ToProcessWorker = SharedArrayBuffer | Uint8Array<ArrayBuffer>;

const READ_BYTES = 2 ** 16;
/** Exit status after an error of the engine's thread. */
const FAILED = 1;

/**
 * These are for the process that started this one, which decides what becomes of the engine: a terminal, or a
 * supervisor, sends them to both.
 */
const LEFT_TO_PARENT = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs until standard input ends. `workerUrl`: the module of the engine's thread. */
export async function runEngineProcess(workerUrl: URL): Promise<never> {
  keepStdout();
  ignoreSignals();
  writeFrame(cloneFrame(FromProcess.hello, { version: VERSION, clock: wallClock() } satisfies Hello));
  const control = new SharedArrayBuffer(CONTROL_WORDS * Int32Array.BYTES_PER_ELEMENT);
  const words = new Int32Array(control);
  const worker = new Worker(workerUrl, { type: "module", name: "kumi engine" });
  worker.onerror = (event) => {
    event.preventDefault();
    // Its thread has ended: nothing else is written meanwhile.
    writeFrame(frameOf(FromProcess.died, new TextEncoder().encode(event.message)));
    Deno.exit(FAILED);
  };
  worker.postMessage(control satisfies ToProcessWorker);
  const reader = new FrameReader((kind, payload) => {
    if (kind === ToProcess.interrupt) return void Atomics.add(words, ControlWord.interrupts, 1);
    worker.postMessage(payload satisfies ToProcessWorker, [payload.buffer]);
    Atomics.add(words, ControlWord.posted, 1);
  });
  const bytes = new Uint8Array(READ_BYTES);
  for (let count; (count = await Deno.stdin.read(bytes)) !== null;) reader.push(bytes.subarray(0, count));
  // Whoever wanted answers is gone.
  Deno.exit(0);
}

function ignoreSignals(): void {
  for (const signal of LEFT_TO_PARENT) {
    try {
      Deno.addSignalListener(signal, () => {});
    } catch {
      // Windows does not have all of them.
    }
  }
}

if (import.meta.main) await runEngineProcess(new URL("./process_worker.ts", import.meta.url));
