/** The engine with a model whose layers keep a state of each sequence: a state takes the memory of two KV blocks. */
import { assert, assertEquals } from "@std/assert";
import { BLOCK_TOKENS } from "../runner/batch.ts";
import { engineOf, FakeRunner, finish, request } from "../../tests/support/fake_model.ts";

const CONTEXT = 256;
const STATE_BLOCKS = 2;
/** Some begin alike: blocks of a prompt are kept from the fourth on. */
const SYSTEM = "SYSTEM".repeat(14);
const TEXTS = [
  "A",
  "HELLO",
  `${SYSTEM}ONE`,
  "Z".repeat(45),
  `${SYSTEM}TWO`,
  "B".repeat(90),
  `${SYSTEM}ONE`,
  "EF",
];
const alone = TEXTS.map((text) => {
  const engine = engineOf(new FakeRunner(CONTEXT, CONTEXT));
  engine.add(1, request(text));
  return finish(engine).get(1)!.text;
});

for (const kvTokens of [192, 240, 320, 1024]) {
  Deno.test(`Engine gives each request the same answer with states in memory of ${kvTokens} tokens`, () => {
    const runner = new FakeRunner(CONTEXT, kvTokens, STATE_BLOCKS);
    const engine = engineOf(runner);
    TEXTS.forEach((text, id) => engine.add(id, request(text)));
    const outcomes = finish(engine);
    assertEquals(TEXTS.map((_, id) => outcomes.get(id)?.text), alone);
    const { states, allocatedBytes, cachedBytes } = engine.kvStats();
    assertEquals(
      [states!.used, allocatedBytes],
      [states!.snapshots, cachedBytes],
      "snapshots alone are left",
    );
    assertEquals(engine.stats().preemptions > 0, kvTokens < 1024);
  });
}

Deno.test("Engine goes on to the same answers when steps are interrupted and requests abort", () => {
  const engine = engineOf(new FakeRunner(CONTEXT, 640, STATE_BLOCKS));
  TEXTS.forEach((text, id) => engine.add(id, request(text)));
  engine.add(100, request(`${SYSTEM}THREE`));
  for (let i = 0; i < 40; i++) {
    engine.step({ interrupted: () => i % 3 !== 0 });
    if (i === 9) engine.abort(100);
  }
  const outcomes = finish(engine);
  assertEquals(TEXTS.map((_, id) => outcomes.get(id)?.text), alone);
  assertEquals(outcomes.get(100)?.completion?.finishReason, "abort");
});

Deno.test("Engine finds a prompt again behind its snapshot, and goes on from an answer's", () => {
  const engine = engineOf(new FakeRunner(CONTEXT, 1024, STATE_BLOCKS));
  const ask = (id: number, text: string, maxTokens = 8) => {
    engine.add(id, request(text, { maxTokens }));
    const { text: answer, completion } = finish(engine).get(id)!;
    return { answer, cached: completion!.usage.cachedTokens };
  };
  const prompt = "P".repeat(100);
  assertEquals(ask(1, prompt).cached, 0);
  assertEquals(ask(2, prompt).cached, 80, "the last 8 tokens and more are computed again");
  assertEquals(ask(3, `${prompt}NEXT`).cached, 80);
  const { answer } = ask(4, "Q".repeat(20), 160);
  assertEquals(ask(5, `${"Q".repeat(20)}${answer}NEXT`).cached, 128, "eight blocks of an answer");
  const { states, blocks } = engine.kvStats();
  assert(states!.hits >= 3 && states!.kept >= 2, JSON.stringify(states));
  assertEquals(states!.usedBytes, blocks.lent * BLOCK_TOKENS * 2);
  assertEquals(states!.stateBytes, 100);
});

Deno.test("Engine without a prefix cache keeps no states", () => {
  const engine = engineOf(new FakeRunner(CONTEXT, 512, STATE_BLOCKS), { prefixCache: false });
  engine.add(1, request(`${SYSTEM}ONE`));
  assertEquals(finish(engine).get(1)!.text, alone[2]);
  const { states, allocatedBytes } = engine.kvStats();
  assertEquals([states!.used, states!.kept, allocatedBytes], [0, 0, 0]);
});
