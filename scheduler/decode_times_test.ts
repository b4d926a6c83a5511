import { assert } from "@std/assert";
import { DecodeTimes } from "./decode_times.ts";
import { StepCost } from "./step_cost.ts";

const model = new StepCost([10, 2, 0.001]);

Deno.test("DecodeTimes are those of the model until they are measured, and then the machine's own", () => {
  const times = new DecodeTimes(model);
  assert(Math.abs(times.predict({ tokens: 3, kv: 1000 }) - 17) < 1e-9);
  // The kernels take a step up between four tokens and five.
  for (let i = 0; i < 20; i++) {
    for (const [tokens, ms] of [[1, 12], [4, 14], [5, 30]]) times.observe({ tokens, kv: 500 }, ms + 0.5);
  }
  for (const [tokens, ms] of [[1, 12], [4, 14], [5, 30], [6, 32]]) {
    const predicted = times.predict({ tokens, kv: 500 }) - 0.5;
    assert(Math.abs(predicted - ms) < 0.06 * ms, `${tokens} tokens: ${predicted}`);
  }
});

Deno.test("DecodeTimes forget a bad moment, and are not led astray by one long step", () => {
  const times = new DecodeTimes(model);
  for (let i = 0; i < 10; i++) times.observe({ tokens: 1, kv: 0 }, 12);
  times.observe({ tokens: 1, kv: 0 }, 5000);
  assert(times.predict({ tokens: 1, kv: 0 }) < 15);
  times.observe({ tokens: 4, kv: 0 }, 5000);
  const hurt = times.predict({ tokens: 4, kv: 0 });
  assert(hurt < 36 && hurt > 20, `${hurt}`);
  for (let i = 0; i < 300; i++) times.observe({ tokens: 1, kv: 0 }, 12);
  assert(Math.abs(times.predict({ tokens: 4, kv: 0 }) - 18) < 0.5);
});
