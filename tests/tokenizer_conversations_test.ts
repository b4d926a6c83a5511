/**
 * Chat templates of real models with what they may not know: prompts that go on with the last message, the
 * role "developer", calls of tools and their answers.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { type ChatMessage, ChatTemplate } from "../src/tokenizer/chat_template.ts";
import { TemplateError } from "../src/tokenizer/error.ts";
import { byteLevelMetadata, sharedPath, testShared } from "./support/vocabularies.ts";
import { createTokenizer } from "../src/tokenizer/tokenizer.ts";

const NOW = new Date(2026, 0, 2);
const folder = sharedPath("templates");
const NAMES = folder === undefined
  ? ["any"]
  : [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();

const CONTROLS = /<\|[a-z_]+\|>|\[\/?[A-Z_]+\]|<[a-z]+_of_turn>/g;

function load(path: string): { template: ChatTemplate; controlsOf: (messages: ChatMessage[]) => string } {
  const source = Deno.readTextFileSync(path);
  const controls = [...new Set(["<s>", "</s>", ...[...source.matchAll(CONTROLS)].map(([text]) => text)])];
  const tokenizer = createTokenizer(
    byteLevelMetadata([], controls, { bos_token_id: 256, eos_token_id: 257 }),
  );
  const template = new ChatTemplate(source, tokenizer);
  const controlsOf = (messages: ChatMessage[]) =>
    template.encode(messages, { now: NOW }).filter((id) => tokenizer.isControl(id)).map((id) =>
      tokenizer.tokenText(id)
    ).join("");
  return { template, controlsOf };
}

const USER: ChatMessage = { role: "user", content: "Count to three." };
const says = (content: string): ChatMessage => ({ role: "assistant", content });

for (const name of NAMES) {
  testShared(`render() through ${name} goes on with the last message`, `templates/${name}`, (path) => {
    const { template } = load(path);
    const render = (messages: ChatMessage[], options = {}) =>
      template.render(messages, { now: NOW, ...options });
    const trims = /gemma|meta-llama/.test(name);
    for (const content of ["One,", "One, ", "One,\n\n", "a < b", "", "<|", "one\ue000two", "</think>x"]) {
      const prompt = render([USER, says(content)], { continueFinalMessage: true });
      // Some templates take thoughts out.
      const shown = content.split("</think>").at(-1)!;
      assert(prompt.endsWith(trims ? shown.trimEnd() : shown), JSON.stringify([content, prompt.slice(-30)]));
      assertEquals(
        render([USER, says(content)]),
        prompt,
        "an assistant's last message is continued by default",
      );
      // What stands before is what stands before a whole message.
      const whole = render([USER, says("One,"), { role: "user", content: "And?" }]);
      if (content === "One," && !/Qwen3|gpt-oss/.test(name)) assert(whole.startsWith(prompt), prompt);
    }
    const begun = render([USER, says("")], { continueFinalMessage: true });
    assert(!/[\ue000-\uf8ff]/.test(begun), "nothing of the marks is left");
    // The words of a user, too.
    assert(render([USER], { continueFinalMessage: true }).endsWith(USER.content));
    // Or a new message, where that is wanted: some templates refuse two in a row.
    for (const wanted of [{ addGenerationPrompt: true }, { continueFinalMessage: false }]) {
      try {
        const next = render([USER, says("One,")], wanted);
        assert(!next.endsWith("One,") && next.includes("One,"));
      } catch (error) {
        assert(error instanceof TemplateError);
      }
    }
    const open = render([USER], { addGenerationPrompt: false });
    assert(render([USER]).length > open.length - 16 && (render([USER]) !== open || name.includes("mistral")));
  });

  testShared(
    `render() through ${name} leaves out nothing of calls and answers`,
    `templates/${name}`,
    (path) => {
      const { template, controlsOf } = load(path);
      const render = (messages: ChatMessage[]) => template.render(messages, { now: NOW });
      const call = (id: string, text: string, location = "Zurich") => ({
        id,
        function: { name: `weather${text}`, arguments: JSON.stringify({ location }) },
      });
      const talk = (text: string, content: string, ...more: string[]): ChatMessage[] => [
        USER,
        {
          role: "assistant",
          content,
          tool_calls: [call("abcdefghi", text), ...more.map((each) => call("jklmnopqr", text, each))],
        },
        { role: "tool", content: `"sunny"${text}`, tool_call_id: "abcdefghi" },
        ...more.map((): ChatMessage => ({ role: "tool", content: "rainy", tool_call_id: "jklmnopqr" })),
        says("Sunny."),
        { role: "user", content: "Thanks." },
      ];
      for (
        const messages of [
          talk("", ""),
          talk("", "Let me look."),
          talk("", "", "Geneva"),
          talk("", "So:", "Geneva"),
        ]
      ) {
        const prompt = render(messages);
        for (const { content } of messages) {
          assert(prompt.includes(content) || prompt.includes(JSON.stringify(content).slice(1, -1)), content);
        }
        const places = messages[1].tool_calls!.length === 1 ? ["Zurich"] : ["Zurich", "Geneva", "rainy"];
        for (const part of ["weather", "location", ...places]) {
          assert(prompt.includes(part), `${part}: ${prompt}`);
        }
        // Arguments are JSON once, not JSON in JSON.
        assert(!prompt.includes('\\"location'), prompt);
      }
      const plain = controlsOf(talk("x", "y"));
      for (
        const attack of [
          "<|im_end|>",
          "<|eot_id|>",
          "</s>",
          "<end_of_turn>",
          "[/INST]",
          "<|end|>",
          "<|call|>",
        ]
      ) {
        assertEquals(controlsOf(talk(attack, attack)), plain, attack);
      }
    },
  );

  testShared(
    `render() through ${name} knows the role developer, or takes it for system`,
    `templates/${name}`,
    (path) => {
      const { template } = load(path);
      const render = (role: "developer" | "system") =>
        template.render([{ role, content: "Be kind." }, USER], { now: NOW });
      if (name.includes("gemma")) {
        assertThrows(() => render("developer"), TemplateError, "System role not supported");
      } else assertEquals(render("developer"), render("system"));
    },
  );
}
