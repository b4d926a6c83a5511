import { assertEquals } from "@std/assert";
import { InFlight } from "./in_flight.ts";

const settle = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("InFlight lets so many go, with so many tokens, and one that is larger alone", async () => {
  const inFlight = new InFlight({ parallel: 2, tokensMax: 10 });
  const went: number[] = [];
  const all = (async () => {
    for (const tokens of [4, 4, 1, 50, 3]) {
      await inFlight.room(tokens);
      inFlight.enter(tokens);
      went.push(tokens);
    }
  })();
  await settle();
  assertEquals(went, [4, 4]);
  inFlight.leave(4);
  await settle();
  assertEquals(went, [4, 4, 1]);
  inFlight.leave(4);
  await settle();
  assertEquals(went, [4, 4, 1], "the large one waits until nothing else is there");
  inFlight.leave(1);
  await settle();
  assertEquals(went, [4, 4, 1, 50]);
  inFlight.leave(50);
  await all;
  let isIdle = false;
  const idle = inFlight.idle().then(() => isIdle = true);
  await settle();
  assertEquals(isIdle, false);
  inFlight.leave(3);
  await idle;
});
