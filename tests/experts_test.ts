/** Mixtures of experts in whole models: what rows cost others, what importances count, what loading takes. */

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { ImportanceCollector } from "../src/runner/importance.ts";
import { soloTables } from "../src/runner/kv_groups.ts";
import { loadRunner, TemporaryFolder } from "./support/models.ts";

const tokens = Array.from({ length: 50 }, (_, i) => (i * 53 + 7) % 512);

Deno.test("importances of experts are counted expert by expert", async () => {
  using folder = new TemporaryFolder();
  const collector = new ImportanceCollector();
  const path = await folder.randomModel("qwen3moe-tiny", "q8_0");
  using runner = await loadRunner(path, { contextLength: 64, onProduct: collector.listener });
  const count = tokens.length;
  runner.forward([{ tokens, first: 0, count, tables: soloTables(runner, 64, { first: 0, count }) }]);
  const sumsOf = (name: string) => collector.matrices.get(`blk.1.${name}.weight`)!;
  const router = sumsOf("ffn_gate_inp"), gate = sumsOf("ffn_gate_exps"), down = sumsOf("ffn_down_exps");
  assertEquals(Array.from(router.counts), [count]);
  assertEquals([gate.counts.length, gate.sums.length, down.sums.length], [16, 16 * 256, 16 * 128]);
  assertEquals(Array.from(gate.counts), Array.from(down.counts));
  assertEquals(Array.from(gate.counts).reduce((a, b) => a + b), 4 * count);
  // Each token is multiplied by four experts, and by the router once.
  for (let column = 0; column < 256; column += 17) {
    let sum = 0;
    for (let expert = 0; expert < 16; expert++) sum += gate.sums[expert * 256 + column];
    assertAlmostEquals(sum, 4 * router.sums[column], 1e-6 * sum);
  }
  Array.from(down.counts).forEach((rows, expert) => {
    const own = Array.from(down.sums).slice(expert * 128, (expert + 1) * 128);
    assertEquals(own.some((sum) => sum > 0), rows > 0, `expert ${expert}`);
  });
  assertEquals(sumsOf("ffn_up_exps"), gate);
});

Deno.test("a token's hidden state does not depend on who else takes its experts", async () => {
  using folder = new TemporaryFolder();
  // One whose output of experts is kept apart for some tokens only, and one with a shared expert and groups.
  for (const shape of ["gpt-oss-tiny", "bailingmoe2-tiny"]) {
    const path = await folder.randomModel(shape, "q4_k");
    using runner = await loadRunner(path, { contextLength: 64, kvTokens: 256, threads: 3 });
    const steps = (size: number) => {
      const rows: number[] = [];
      for (let first = 0; first < tokens.length; first += size) {
        const count = Math.min(size, tokens.length - first);
        runner.forward([{ tokens, first, count, tables: soloTables(runner, 64, { first, count }) }]);
        rows.push(...runner.hidden(0, count));
      }
      return Float32Array.from(rows);
    };
    const whole = steps(tokens.length);
    assert(whole.every(Number.isFinite));
    for (const size of [1, 2, 9, 33]) assertEquals(steps(size), whole, `${shape} in steps of ${size}`);
  }
});
