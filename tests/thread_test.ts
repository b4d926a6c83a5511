/** What threads ask of the system for themselves. */

import { assert, assertEquals } from "@std/assert";
import { waitUntil } from "./support/waiting.ts";

/** How many threads of this process have only the time that no other wants: the 41st field of a thread's line, proc(5). */
async function idleThreads(): Promise<number> {
  const args = ["-c", `cat /proc/${Deno.pid}/task/*/stat`];
  const { stdout } = await new Deno.Command("sh", { args }).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  const IDLE = "5";
  return lines.filter((line) => line.slice(line.lastIndexOf(")") + 2).split(" ")[38] === IDLE).length;
}

Deno.test({
  name: "giveWay() and standBack() let others go before the thread that calls them, and before no other",
  ignore: Deno.build.os !== "linux",
  async fn() {
    for (let i = 0; i < 2; i++) {
      const worker = new Worker(new URL("./support/giving_worker.ts", import.meta.url), { type: "module" });
      const hear = () => new Promise<MessageEvent>((resolve) => worker.onmessage = resolve);
      const { data: { before, gives, after } } = await hear();
      assert(gives && after > before && before < 10, `${before}, ${after}`);
      const idle = await idleThreads();
      const heard = hear();
      worker.postMessage(null);
      assertEquals((await heard).data, true);
      assertEquals(await idleThreads(), idle + 1);
      worker.terminate();
      // The thread ends later: it is not to be counted in the next round.
      await waitUntil(async () => await idleThreads() === idle);
    }
  },
});
