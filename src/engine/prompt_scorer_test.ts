import { assert, assertEquals } from "@std/assert";
import { engineOf, FakeRunner, request, tokenizer, VOCAB } from "../../tests/support/fake_model.ts";
import type { PromptLogprob, StepEvent } from "../protocol/answer.ts";
import type { GenerationRequest } from "../protocol/request.ts";
import { resolveSampling } from "../protocol/sampling.ts";

/** What {@linkcode FakeRunner} says of a prompt's tokens, in the plainest way. */
function expected(text: string, top: number): PromptLogprob[] {
  const ids = tokenizer.encode(text);
  const named = (id: number, logprob: number) => ({
    id,
    text: tokenizer.tokenText(id),
    bytes: [65 + id],
    logprob,
  });
  let hash = 7;
  return ids.map((id, i) => {
    if (i === 0) return { ...named(id, 0), logprob: null, rank: null, top: [] };
    hash = (hash * 31 + ids[i - 1]) % 1009;
    const next = 1 + hash % (VOCAB - 1);
    const rank = 1 + Math.abs(id - next);
    const likeliest = Array.from({ length: top }, (_, k) => named((next + k) % VOCAB, -1 - k));
    return { ...named(id, -rank), rank, top: likeliest };
  });
}

interface Scored {
  prompt: PromptLogprob[];
  text: string;
  events: StepEvent[];
}

function run(engine: ReturnType<typeof engineOf>): Map<number, Scored> {
  const all = new Map<number, Scored>();
  for (let i = 0; engine.busy || i === 0; i++) {
    assert(i < 5000, "the engine makes no progress");
    engine.step();
    for (const event of engine.takeEvents()) {
      const scored = all.get(event.id) ?? { prompt: [], text: "", events: [] };
      assertEquals(event.error, undefined);
      if (scored.text !== "") {
        assertEquals(event.promptLogprobs, undefined, "the prompt came after the answer began");
      }
      scored.prompt.push(...event.promptLogprobs ?? []);
      scored.text += event.text;
      scored.events.push(event);
      all.set(event.id, scored);
    }
  }
  return all;
}

const TEXTS = [
  "A",
  "HELLO",
  "Z".repeat(45),
  "QRS",
  "HELLOW",
  "B".repeat(60),
  "CC",
  "HELLO",
  "D".repeat(33),
  "EF",
];
const kindOf = (i: number): Partial<GenerationRequest> => ({
  promptLogprobs: i % 3 === 2 ? undefined : i % 4,
  maxTokens: [0, 40, 40][i % 3],
});

Deno.test("Engine scores prompts alike alone, in chunks, beside others, with prefixes known and after preemptions", () => {
  const alone = TEXTS.map((text, i) => {
    const engine = engineOf(new FakeRunner(128, 256));
    engine.add(i, request(text, kindOf(i)));
    return run(engine).get(i)!;
  });
  for (const kvTokens of [128, 160, 512]) {
    const runner = new FakeRunner(128, kvTokens);
    const engine = engineOf(runner);
    TEXTS.forEach((text, i) => engine.add(i, request(text, kindOf(i))));
    const scored = run(engine);
    TEXTS.forEach((text, i) => {
      const { promptLogprobs, maxTokens } = kindOf(i);
      const note = `request ${i}, ${kvTokens} tokens of cache`;
      assertEquals(
        scored.get(i)!.prompt,
        promptLogprobs === undefined ? [] : expected(text, promptLogprobs),
        note,
      );
      assertEquals(scored.get(i)!.text, alone[i].text, note);
      assertEquals(scored.get(i)!.text.length, maxTokens, note);
      const { finishReason, usage } = scored.get(i)!.events.at(-1)!.completion!;
      assertEquals([finishReason, usage.promptTokens, usage.completionTokens], [
        "length",
        text.length,
        maxTokens,
      ]);
    });
    if (kvTokens === 128) assert(engine.stats().preemptions > 0);
  }
});

Deno.test("Engine scores a prompt that fills the context, and one of a single token", () => {
  const engine = engineOf(new FakeRunner(64, 64));
  engine.add(1, request("A".repeat(64), { promptLogprobs: 2, maxTokens: 0 }));
  engine.add(2, request("A", { promptLogprobs: 2, maxTokens: 0 }));
  engine.add(3, request("A", { promptLogprobs: 2, maxTokens: 2 }));
  const scored = run(engine);
  assertEquals(scored.get(1)!.prompt, expected("A".repeat(64), 2));
  for (const id of [2, 3]) assertEquals(scored.get(id)!.prompt, expected("A", 2));
});

Deno.test("Engine goes on with the scores of a worker that ended: each token once", () => {
  const text = "ABCDEFGHIJ".repeat(9);
  const all = expected(text, 1);
  for (const promptScored of [1, 2, 33, 89, 90]) {
    const engine = engineOf(new FakeRunner(128, 256));
    const restored = promptScored === 90 ? [5, 6] : [];
    engine.add(1, request(text, { promptLogprobs: 1, maxTokens: 4, promptScored, restored }));
    const { prompt, text: answer } = run(engine).get(1)!;
    assertEquals(prompt, all.slice(promptScored), `${promptScored} were scored`);
    assertEquals(answer.length, 4 - restored.length);
  }
});

Deno.test("Engine tells the log-probability of an answer's end where that is asked for, without bytes", () => {
  for (const endLogprob of [true, undefined]) {
    const engine = engineOf(new FakeRunner(128, 256));
    const sampling = resolveSampling({ seed: 1, logprobs: 0 }, VOCAB);
    const stopTokens = Array.from({ length: VOCAB }, (_, id) => id);
    engine.add(1, request("HELLO", { sampling, stopTokens, endLogprob }));
    const logprobs = run(engine).get(1)!.events.flatMap((event) => event.logprobs ?? []);
    assertEquals(logprobs.map(({ bytes }) => bytes), endLogprob ? [[]] : []);
  }
});
