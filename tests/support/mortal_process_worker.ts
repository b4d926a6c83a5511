// The engine's thread in a process; see mortal_process.ts.
import { ProcessHost } from "../../src/engine/process_host.ts";
import { keepStdout, writeFrame } from "../../src/engine/process_output.ts";
import type { ToProcessWorker } from "../../src/engine/process.ts";
import { FromProcess } from "../../src/protocol/process_messages.ts";

const scope = self as unknown as { onmessage: ((event: MessageEvent<ToProcessWorker>) => void) | null };

let steps = Number(new URL(import.meta.url).searchParams.get("steps"));

keepStdout();
console.log("a line of the engine");
let host: ProcessHost | null = null;
scope.onmessage = ({ data }) => {
  if (!(data instanceof SharedArrayBuffer)) return host!.receive(data);
  host = new ProcessHost(data, (frame) => {
    if (frame[4] === FromProcess.messageAfterStep && --steps === 0) throw new Error("mortal");
    writeFrame(frame);
  });
};
