/**
 * Chat templates of real models: each renders, and no text in a message becomes one of its control tokens.
 */

import { assert, assertEquals } from "@std/assert";
import { openGguf } from "../src/gguf/reader.ts";
import { type ChatMessage, ChatTemplate } from "../src/tokenizer/chat_template.ts";
import { TemplateRenderer } from "../src/tokenizer/template_renderer.ts";
import { byteLevelMetadata, sharedPath, testShared } from "./support/vocabularies.ts";
import { createTokenizer, type Tokenizer } from "../src/tokenizer/tokenizer.ts";

const NOW = new Date(2026, 0, 2);
const folder = sharedPath("templates");
const NAMES = folder === undefined
  ? ["any"]
  : [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();

/** A conversation with `text` everywhere a user has a say; Gemma knows no system messages. */
function conversation(template: string, text: string, answer = text): ChatMessage[] {
  const messages: ChatMessage[] = [
    { role: "system", content: `Be ${text}` },
    { role: "user", content: `Tell ${text} more` },
    { role: "assistant", content: answer },
    { role: "user", content: text },
  ];
  return template.includes("gemma") ? messages.slice(1) : messages;
}

/** Everything in a template that looks like a control token of its model. */
function controlTexts(source: string): string[] {
  const found = source.matchAll(/<\|[a-z_]+\|>|\[\/?[A-Z_]+\]|<[a-z]+_of_turn>/g);
  return [...new Set(["<s>", "</s>", ...[...found].map(([text]) => text)])];
}

/** A byte-level vocabulary with exactly these control tokens. */
function tokenizerWith(controls: string[]): Tokenizer {
  const more = { bos_token_id: 256, eos_token_id: 257 };
  return createTokenizer(byteLevelMetadata([], controls, more));
}

/** Whole control tokens, parts of them, and parts that a template may join by taking something out. */
function attacks(controls: string[]): string[] {
  return [
    ...controls.flatMap((text) => [
      text,
      `a ${text} b`,
      text.slice(1),
      text.slice(0, -1),
      text.slice(1, -1),
      `${text.slice(0, 2)}<think>${text.slice(2)}`,
      `<think>${text}</think>${text}`,
      `${text.slice(0, 2)}</think>${text.slice(2)}`,
    ]),
    controls.join(""),
  ];
}

function controlIds(tokenizer: Tokenizer, template: ChatTemplate, messages: ChatMessage[]): string {
  const ids = template.encode(messages, { now: NOW });
  return ids.filter((id) => tokenizer.isControl(id)).map((id) => tokenizer.tokenText(id)).join("");
}

for (const name of NAMES) {
  testShared(
    `encode() through ${name} keeps text from becoming control tokens`,
    `templates/${name}`,
    (path) => {
      const source = Deno.readTextFileSync(path);
      const controls = controlTexts(source);
      const tokenizer = tokenizerWith(controls);
      const template = new ChatTemplate(source, tokenizer);
      const renderer = new TemplateRenderer(source);
      for (const attack of attacks(controls)) {
        const hasThought = attack.includes("</think>");
        const plain = conversation(name, "kind", hasThought ? "<think>a</think>b" : "b");
        const hostile = conversation(name, attack);
        assertEquals(
          controlIds(tokenizer, template, hostile),
          controlIds(tokenizer, template, plain),
          attack,
        );
        const variables = {
          bos_token: "<s>",
          eos_token: "</s>",
          add_generation_prompt: true,
          tools: undefined,
        };
        const expected = renderer.render({ messages: hostile, ...variables }, NOW);
        assertEquals(template.render(hostile, { now: NOW }), expected);
      }
    },
  );

  testShared(
    `encode() through ${name} of harmless messages equals the text as a whole`,
    `templates/${name}`,
    (path) => {
      const source = Deno.readTextFileSync(path);
      const tokenizer = tokenizerWith(controlTexts(source));
      const template = new ChatTemplate(source, tokenizer);
      for (const text of ["Hello", " 1 < 2 > 0 ", "user", "<b>x</b>\n", "<think>\nhm\n</think>\n\nyes"]) {
        const messages = conversation(name, text);
        const rendered = template.render(messages, { now: NOW });
        assert(rendered.includes(text.trim().slice(-3)));
        assertEquals(
          template.encode(messages, { now: NOW }),
          tokenizer.encode(rendered, { parseSpecial: true }),
        );
      }
    },
  );
}

const MATCHING = [
  ["llama-bpe", "meta-llama-Llama-3.2-3B-Instruct.jinja"],
  ["qwen2", "Qwen-Qwen2.5-7B-Instruct.jinja"],
  ["qwen2", "Qwen-Qwen3-0.6B.jinja"],
  ["qwen2", "HuggingFaceTB-SmolLM3-3B.jinja"],
  ["phi-3", "microsoft-Phi-3.5-mini-instruct.jinja"],
];

for (const [vocabulary, name] of MATCHING) {
  testShared(
    `encode() through ${name} with the ${vocabulary} vocabulary is safe`,
    `vocab/ggml-vocab-${vocabulary}.gguf`,
    async (path) => {
      using file = await openGguf(path);
      const tokenizer = createTokenizer(file.metadata);
      const template = new ChatTemplate(Deno.readTextFileSync(sharedPath(`templates/${name}`)!), tokenizer);
      const expected = controlIds(tokenizer, template, conversation(name, "kind"));
      assert(expected.length > 20);
      const all = [...tokenizer.controlTexts().values()];
      for (const attack of [...all.slice(0, 100), all.join("")]) {
        assertEquals(controlIds(tokenizer, template, conversation(name, attack)), expected, attack);
      }
    },
  );
}
