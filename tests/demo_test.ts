/** The bundled demo model, scored by this engine on its 200 held-out prompts. */

import { assert, assertEquals } from "@std/assert";
import { loadModel, type Model } from "../mod.ts";
import { openGguf, quantizeFile } from "../src/gguf/mod.ts";
import { Kernels } from "../src/ffi/context.ts";

const FOLDER = new URL("../examples/demo-model/", import.meta.url);

/** One held-out prompt with what is expected of the answer. */
interface Prompt {
  readonly kind: string;
  readonly messages: { role: "system" | "user" | "assistant"; content: string }[];
  readonly expect: { readonly sum?: number; readonly json?: unknown; readonly contains?: string[] };
}

async function answers(model: Model, prompts: readonly Prompt[]) {
  return await Promise.all(
    prompts.map(({ messages }) => model.chat(messages, { temperature: 0, maxTokens: 200 }).result),
  );
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A sum is right when the last number of the answer is it. */
function hasSum(text: string, sum: number): boolean {
  return Number(/(\d+)\D*$/.exec(text)?.[1]) === sum;
}

Deno.test("the demo model answers its held-out prompts: 90 % of sums, 95 % valid JSON, 98 % stop", async () => {
  const prompts: Prompt[] = JSON.parse(await Deno.readTextFile(new URL("heldout.json", FOLDER)));
  assertEquals(prompts.length, 200);
  await using model = await loadModel("demo");
  const results = await answers(model, prompts);
  const share = (kind: string, isRight: (text: string, prompt: Prompt) => boolean) => {
    const chosen = prompts.map((prompt, i) => ({ prompt, text: results[i].text }))
      .filter(({ prompt }) => prompt.kind === kind);
    return chosen.filter(({ prompt, text }) => isRight(text, prompt)).length / chosen.length;
  };
  const sums = share("sum", (text, { expect }) => hasSum(text, expect.sum!));
  const json = share("json", (text) => parses(text));
  const stops = results.filter(({ finishReason }) => finishReason === "stop").length / results.length;
  console.log(`sums ${sums}, valid JSON ${json}, stopped by itself ${stops}`);
  assert(sums >= 0.9, `sums right: ${sums}`);
  assert(json >= 0.95, `valid JSON: ${json}`);
  assert(stops >= 0.98, `stopped by itself: ${stops}`);
});

Deno.test("the committed Q8_0 file is what quantize makes of the F16 file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    using kernels = Kernels.open({ workspaceBytes: 64 });
    const made = `${folder}/q8_0.gguf`;
    await quantizeFile(decodeURIComponent(new URL("kumi-demo-f16.gguf", FOLDER).pathname), made, "q8_0", {
      kernels,
    });
    using ours = await openGguf(made);
    using committed = await openGguf(decodeURIComponent(new URL("kumi-demo-q8_0.gguf", FOLDER).pathname));
    assertEquals([...ours.tensors.keys()], [...committed.tensors.keys()]);
    for (const { name, type, bytes } of committed.tensors.values()) {
      assertEquals(ours.tensors.get(name)?.type, type, name);
      const [a, b] = [new Uint8Array(bytes), new Uint8Array(bytes)];
      ours.readInto(name, 0, a);
      committed.readInto(name, 0, b);
      assertEquals(a, b, name);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
