// Lets other threads go first and tells the system's number for that.
import { giveWay } from "../../src/ffi/thread.ts";

const niceness = () => Number(Deno.readTextFileSync("/proc/thread-self/stat").split(") ")[1].split(" ")[16]);
const before = niceness();
const gives = giveWay();
(self as unknown as { postMessage(message: unknown): void }).postMessage({
  before,
  gives,
  after: niceness(),
});
