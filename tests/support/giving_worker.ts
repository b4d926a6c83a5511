// Lets other threads go first and tells the system's numbers for that.
import { getPriority } from "node:os";
import { giveWay, standBack } from "../../src/ffi/thread.ts";

/** The 41st field of a thread's line: proc(5). */
function policy(): number {
  const line = Deno.readTextFileSync("/proc/thread-self/stat");
  return Number(line.slice(line.lastIndexOf(")") + 2).split(" ")[38]);
}

// On Linux those of the thread that asks.
const before = [getPriority(), policy()];
const gives = giveWay();
const priority = getPriority();
const standsBack = standBack();
(self as unknown as { postMessage(message: unknown): void }).postMessage({
  priorities: [before[0], priority],
  gives,
  standsBack,
  policies: [before[1], policy()],
});
