// The engine's thread, with faults in native code that requests of certain seeds bring about.
import { ProcessHost } from "../../src/engine/process_host.ts";
import { keepStdout, writeFrame } from "../../src/engine/process_output.ts";
import type { ToProcessWorker } from "../../src/engine/process.ts";
import type { ToEngine } from "../../src/protocol/messages.ts";
import { FromProcess, readClone, readIds } from "../../src/protocol/process_messages.ts";
import { isEmbedding } from "../../src/protocol/request.ts";
import { FAULTS } from "./faults.ts";

const scope = self as unknown as { onmessage: ((event: MessageEvent<ToProcessWorker>) => void) | null };

/** How the requests with these ids end the process, and in which of their steps. */
const poison = new Map<number, { fault: () => void; steps: number }>();

function signal(name: "SIGBUS" | "SIGILL" | "SIGFPE" | "SIGABRT"): void {
  const numbers = Deno.build.os === "darwin"
    ? { SIGBUS: 10, SIGILL: 4, SIGFPE: 8, SIGABRT: 6 }
    : { SIGBUS: 7, SIGILL: 4, SIGFPE: 8, SIGABRT: 6 };
  const libc = Deno.build.os === "darwin" ? "libSystem.B.dylib" : "libc.so.6";
  Deno.dlopen(libc, { raise: { parameters: ["i32"], result: "i32" } }).symbols.raise(numbers[name]);
}

/** Reads where nothing is. */
function badAddress(): void {
  new Deno.UnsafePointerView(Deno.UnsafePointer.create(8n)!).getUint8();
}

function faultOf(seed: number): (() => void) | undefined {
  const name = Object.entries(FAULTS).find(([, each]) => each === seed)?.[0] as
    | keyof typeof FAULTS
    | undefined;
  if (name === undefined) return undefined;
  return name === "SIGSEGV" || name === "DRIFT" ? badAddress : () => signal(name);
}

/** Steps of a poisoned request that go well; the first is noted when it is added. */
const GOOD_STEPS = 3;

function write(frame: Uint8Array): void {
  writeFrame(frame);
  if (frame[4] !== FromProcess.step) return;
  for (const id of readIds(frame.slice(5))) {
    const found = poison.get(id);
    if (found !== undefined && --found.steps < 0) found.fault();
  }
}

keepStdout();
let host: ProcessHost | null = null;
scope.onmessage = ({ data }) => {
  if (data instanceof SharedArrayBuffer) {
    host = new ProcessHost(data, write);
    return;
  }
  const message = readClone(data) as ToEngine;
  if (message.type === "work" && !isEmbedding(message.request)) {
    const fault = faultOf(message.request.sampling.seed ?? 0);
    const { sampling: { seed }, restored = [] } = message.request;
    const done = seed === FAULTS.DRIFT ? 0 : restored.length;
    if (fault !== undefined) poison.set(message.id, { fault, steps: GOOD_STEPS - done });
  }
  host!.receive(data);
};
