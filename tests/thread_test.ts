/** What threads ask of the system for themselves. */

import { assert } from "@std/assert";

Deno.test({
  name: "giveWay() lets others go before the thread that calls it, and before no other",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const ask = async () => {
      const worker = new Worker(new URL("./support/giving_worker.ts", import.meta.url), { type: "module" });
      const { data } = await new Promise<MessageEvent>((resolve) => worker.onmessage = resolve);
      worker.terminate();
      return data as { before: number; gives: boolean; after: number };
    };
    for (let i = 0; i < 2; i++) {
      const { before, gives, after } = await ask();
      assert(gives && after > before && before < 10, `${before}, ${after}`);
    }
  },
});
