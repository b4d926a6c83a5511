import { assert, assertEquals, assertThrows } from "@std/assert";
import { type ChatMessage, ChatTemplate, createChatTemplate } from "./chat_template.ts";
import { TemplateError } from "./error.ts";
import { byteLevelMetadata } from "../../tests/support/vocabularies.ts";
import { createTokenizer } from "./tokenizer.ts";

const CONTROLS = ["<s>", "<|im_start|>", "<|im_end|>", "[INST]", "<|user|>", "\u00a7"];
const metadata = byteLevelMetadata([], CONTROLS, { bos_token_id: 256, add_bos_token: true });
const tokenizer = createTokenizer(metadata);

/** The control tokens of a prompt. */
function controls(template: ChatTemplate, messages: ChatMessage[]): string[] {
  return template.encode(messages).filter((id) => tokenizer.isControl(id)).map((id) =>
    tokenizer.tokenText(id)
  );
}

const user = (content: string): ChatMessage[] => [{ role: "user", content }];

Deno.test("createChatTemplate() falls back to ChatML where the vocabulary has it", () => {
  const template = createChatTemplate(metadata, tokenizer);
  assertEquals(template.render(user("Hi")), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  const without = byteLevelMetadata();
  assertThrows(() => createChatTemplate(without, createTokenizer(without)), TemplateError, "--raw");
  const wrong = new Map(metadata).set("tokenizer.chat_template", 7);
  assertThrows(() => createChatTemplate(wrong, tokenizer), TemplateError, "must be a string");
});

Deno.test("encode() writes BOS once, whether the template writes it or not", () => {
  const own = new ChatTemplate("{{ bos_token }}{{ messages[0].content }}", tokenizer);
  const none = new ChatTemplate("{{ messages[0].content }}", tokenizer);
  assertEquals(own.encode(user("a")), [256, 0x61]);
  assertEquals(none.encode(user("a")), [256, 0x61]);
  assertEquals(none.encode(user("<s>a")).filter((id) => id === 256).length, 1);
});

Deno.test("encode() refuses conversations that no template should see", () => {
  const template = createChatTemplate(metadata, tokenizer);
  const bad = (messages: unknown) => () => template.encode(messages as ChatMessage[]);
  assertThrows(bad([]), TemplateError, "at least one message");
  assertThrows(bad([{ role: "im_end", content: "" }]), TemplateError, '"im_end"');
  assertThrows(bad([{ role: "user", content: null }]), TemplateError, "content of message 0");
  assertThrows(bad(new Array(3000).fill({ role: "user", content: "" })), TemplateError, "at most 2048");
});

// Templates that cut, join and test what users wrote.
const TEMPLATES: Record<string, string> = {
  plain: "<|im_start|>{{ messages[0].content }}<|im_end|>",
  trimmed: "<|im_start|>{{ messages[0].content | trim }}<|im_end|>",
  "both ends around": "<|{{ messages[0].content | trim }}|>",
  "end after": "{{ messages[0].content }}|>",
  "start before": "<|{{ messages[0].content }}",
  split: "{% set p = messages[0].content.split('</think>') %}<|im_start|>{{ p[0] }}{{ p[-1] }}<|im_end|>",
  replaced: "{{ messages[0].content.replace('<think>', '') }}",
  "replaced by nothing inside": "{{ messages[0].content.replace('x', '').replace('</think>', '') }}",
  tested: "{% if '</think>' in messages[0].content %}<|im_start|>{% endif %}{{ messages[0].content }}",
  json: "[INST]{{ messages[0].content | tojson }}",
  sliced: "{{ messages[0].content[:3] }}{{ messages[0].content[3:] }}",
  lowered: "{{ messages[0].content | lower }}",
  titled: "{{ messages[0].content | upper | lower }}",
  twice: "{{ messages[0].content }}{{ messages[0].content }}",
};

for (const [name, source] of Object.entries(TEMPLATES)) {
  Deno.test(`encode() keeps user text from becoming control tokens: ${name}`, () => {
    const template = new ChatTemplate(source, tokenizer);
    for (const control of CONTROLS) {
      const attacks = [
        control,
        `a ${control} b`,
        control.slice(1),
        control.slice(0, -1),
        control.slice(1, -1),
        control.slice(2, -2),
        `${control.slice(0, 1)}<think>${control.slice(1)}`,
        `${control.slice(0, 2)}x</think>x${control.slice(2)}`,
        `</think>${control}`,
        control.toUpperCase(),
        [...control].join("x"),
      ];
      for (const attack of attacks) {
        const found = controls(template, user(attack));
        const own = controls(template, user(attack.includes("</think>") ? "hello</think>hello" : "hello"));
        assertEquals(found, own, JSON.stringify(attack));
      }
    }
  });
}

Deno.test("encode() of harmless messages equals the rendered text as a whole", () => {
  const template = createChatTemplate(metadata, tokenizer);
  for (
    const content of [
      "Hello",
      "",
      "  spaces\n",
      "a < b > c",
      "<b>bold</b>",
      "user",
      "\ue000 private",
      "\ud800",
    ]
  ) {
    const rendered = template.render(user(content));
    assertEquals(template.encode(user(content)), [
      256,
      ...tokenizer.encode(rendered, { parseSpecial: true }),
    ]);
    assert(rendered.includes(content.toWellFormed()));
  }
});

Deno.test("render() lets templates find their own constants in messages", () => {
  const template = new ChatTemplate(
    "{{ '<|im_start|>' }}{% if '</think>' in messages[0].content %}" +
      "{{ messages[0].content.split('</think>')[-1].lstrip() }}{% endif %}",
    tokenizer,
  );
  const messages: ChatMessage[] = [{
    role: "assistant",
    content: "<think>a > b <|im_end|></think>\n\n2 < 3 <|im_end|>",
  }];
  assertEquals(template.render(messages), "<|im_start|>2 < 3 <|im_end|>");
  assertEquals(controls(template, messages), ["<s>", "<|im_start|>"]);
});

Deno.test("encode() manages messages that use all but two private-use characters", () => {
  const template = createChatTemplate(metadata, tokenizer);
  const all = Array.from({ length: 0xf900 - 0xe000 }, (_, i) => String.fromCharCode(0xe000 + i)).join("");
  assertEquals(controls(template, user(`<${all.slice(2)}<s>`)).length, 4);
  assertThrows(() => template.encode(user(`<${all}<s>`)), TemplateError, "private-use");
});

Deno.test("render() passes what templates ask for", () => {
  const template = new ChatTemplate(
    "{{ messages[0].reasoning_content }} {{ enable_thinking }} {{ add_generation_prompt }} {{ strftime_now('%Y') }}" +
      "{% for tool in tools %}{{ tool }}{% endfor %}",
    tokenizer,
  );
  const messages: ChatMessage[] = [{ role: "assistant", content: "", reasoning_content: "why" }];
  const options = { enableThinking: false, addGenerationPrompt: false, now: new Date(2025, 1, 1) };
  assertEquals(template.render(messages, options), "why False False 2025");
});

Deno.test("render() gives templates variables that cannot become text of the prompt", () => {
  const template = new ChatTemplate(
    "{{ messages[0].content }} {{ thinking }} {{ effort }} {{ n }}",
    tokenizer,
  );
  const templateVariables = { thinking: true, effort: "low", n: 3, messages: 1, bos_token: 2 };
  assertEquals(template.render(user("a"), { templateVariables }), "a True low 3");
  const hostile = { effort: "<|im_end|>" };
  assertThrows(
    () => template.render(user("a"), { templateVariables: hostile }),
    TemplateError,
    '"effort" must be',
  );
});
