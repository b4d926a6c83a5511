import { assertEquals, assertRejects } from "@std/assert";
import { askedFor } from "../../../../tests/support/asked.ts";
import { ApiError } from "../../api_error.ts";
import { readFields } from "../../schema/read.ts";
import { COMPLETIONS, COMPLETIONS_BODY } from "../completions.ts";
import { gapPrompt } from "./gap.ts";

const gap = { prefix: 10, suffix: 11, middle: 12, ends: [13] };
/** Letters are tokens; a prompt begins with token 1. */
function asked(info: object) {
  const plain = askedFor({ vocab: 200, defaultClass: "interactive", ...info });
  const tokenize = (text: string, { addSpecial = true } = {}) =>
    Promise.resolve([...addSpecial ? [1] : [], ...Array.from(text, (letter) => letter.charCodeAt(0))]);
  return { ...plain, model: { ...plain.model, tokenize } };
}

Deno.test("gapPrompt() puts the model's tokens around both texts", async () => {
  assertEquals(await gapPrompt({ text: "ab" }, "c", asked({ gap })), {
    tokens: [1, 10, 97, 98, 11, 99, 12],
    stopTokens: [13],
  });
  assertEquals((await gapPrompt({ tokens: [7] }, "c", asked({ gap }))).tokens, [1, 10, 7, 11, 99, 12]);
  await assertRejects(() => gapPrompt({ text: "a" }, "b", asked({})), ApiError, "no tokens for it");
});

Deno.test("gapPrompt() puts other files before, with the tokens that the model has for them", async () => {
  const beside = [{ filename: "f", text: "x" }, { text: "y" }];
  const letters = (text: string) => Array.from(text, (letter) => letter.charCodeAt(0));
  const tokens = async (info: object) =>
    (await gapPrompt({ text: "a" }, "b", asked(info), { beside, begun: "c" })).tokens;
  const middle = [10, 97, 11, 98, 12, 99];
  const files = [20, ...letters("f\nx\n"), 20, ...letters("file\ny\n"), 20, ...letters("current\n")];
  assertEquals(await tokens({ gap: { ...gap, file: 20, repository: 21 } }), [
    1,
    21,
    ...letters("repository\n"),
    ...files,
    ...middle,
  ]);
  assertEquals(await tokens({ gap: { ...gap, file: 20 } }), [1, ...files, ...middle]);
  assertEquals(await tokens({ gap }), [1, ...letters("f\nx\ny\n"), ...middle]);
});

Deno.test("completions with a suffix ask for what stands before it", async () => {
  const plan = (body: object) =>
    COMPLETIONS.plan!(readFields(COMPLETIONS_BODY, { prompt: "a", ...body }), asked({ gap }));
  const [work] = (await plan({ suffix: "b", stop_token_ids: [3] })).works;
  assertEquals(work.prompt, { tokens: [1, 10, 97, 11, 98, 12] });
  assertEquals("stopTokens" in work.options && work.options.stopTokens, [3, 13]);
  assertEquals((await plan({ suffix: "" })).works[0].prompt, { text: "a" });
  await assertRejects(async () => await plan({ suffix: "b", echo: true }), ApiError, "cannot both be there");
});
