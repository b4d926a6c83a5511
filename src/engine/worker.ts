// The Web Worker around the engine: the only thread that opens the native library and may block.
import { Library } from "../ffi/library.ts";
import { EngineHost } from "./host.ts";
import type { FromEngine, ToEngine } from "../protocol/messages.ts";

const scope = self as unknown as {
  postMessage(message: FromEngine): void;
  onmessage: ((event: MessageEvent<ToEngine>) => void) | null;
};

const host = new EngineHost((message) => scope.postMessage(message));
scope.onmessage = (event) => host.receive(event.data);
Library.keepOpen(); // whoever started this thread has modules to read, too
