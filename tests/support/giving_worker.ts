// Lets other threads go first and tells the system's number for that.
import { getPriority } from "node:os";
import { giveWay } from "../../src/ffi/thread.ts";

// On Linux that of the thread that asks.
const before = getPriority();
const gives = giveWay();
(self as unknown as { postMessage(message: unknown): void }).postMessage({
  before,
  gives,
  after: getPriority(),
});
