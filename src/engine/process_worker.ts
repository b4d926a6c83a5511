// The engine's thread in a process of its own: the only one that opens the native library and may block.
import { Library } from "../ffi/library.ts";
import type { ToProcessWorker } from "./process.ts";
import { ProcessHost } from "./process_host.ts";
import { keepStdout, writeFrame } from "./process_output.ts";

const scope = self as unknown as { onmessage: ((event: MessageEvent<ToProcessWorker>) => void) | null };

keepStdout();
let host: ProcessHost | null = null;
scope.onmessage = ({ data }) => {
  if (data instanceof SharedArrayBuffer) host = new ProcessHost(data, writeFrame);
  else host!.receive(data);
};
Library.keepOpen();
