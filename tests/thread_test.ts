/** What threads ask of the system for themselves. */

import { assert, assertEquals } from "@std/assert";

interface Told {
  readonly priorities: readonly number[];
  readonly gives: boolean;
  readonly standsBack: boolean;
  /** The scheduler's class of the thread, as /proc numbers them. */
  readonly policies: readonly number[];
}

Deno.test({
  name: "giveWay() and standBack() let others go before the thread that calls them, and before no other",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const ask = async () => {
      const worker = new Worker(new URL("./support/giving_worker.ts", import.meta.url), { type: "module" });
      const { data } = await new Promise<MessageEvent>((resolve) => worker.onmessage = resolve);
      worker.terminate();
      return data as Told;
    };
    const [NORMAL, IDLE] = [0, 5];
    for (let i = 0; i < 2; i++) {
      const { priorities: [before, after], gives, standsBack, policies } = await ask();
      assert(gives && after > before && before < 10, `${before}, ${after}`);
      assert(standsBack);
      assertEquals(policies, [NORMAL, IDLE]);
    }
  },
});
