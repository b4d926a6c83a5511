// Lets other threads go first when it is told to, and tells the system's numbers for that.
import { getPriority } from "node:os";
import { giveWay, standBack } from "../../src/ffi/thread.ts";

const scope = self as unknown as {
  postMessage(message: unknown): void;
  onmessage: (() => void) | null;
};

// On Linux those of the thread that asks.
const before = getPriority();
const gives = giveWay();
scope.postMessage({ before, gives, after: getPriority() });
scope.onmessage = () => scope.postMessage(standBack());
