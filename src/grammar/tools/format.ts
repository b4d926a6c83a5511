/** How models write calls of tools: where a call begins, and the signs around its name and its arguments. @module */

import { signsIn } from "../signs.ts";
import type { ParameterTags } from "./tagged.ts";

/** One way of writing calls. All that is not name or arguments is fixed. */
export interface ToolFormat {
  readonly name: string;
  /** What an answer's first call begins with; a control token where the vocabulary has one of this text. */
  readonly trigger: string;
  /** Between the trigger and the first call. */
  readonly open: string;
  /** Before a call's name, between name and arguments, and behind them. */
  readonly call: readonly [before: string, between: string, after: string];
  /** Set: arguments are no JSON, but parameters between these. */
  readonly tags?: ParameterTags;
  /** Between two calls; undefined: an answer has one. */
  readonly separator?: string;
  /** Behind the last call. */
  readonly close: string;
  /** Whether a call must be the whole answer: its trigger counts at the beginning alone. */
  readonly isWhole?: boolean;
}

/** Qwen 2.5 and 3, Hermes, SmolLM3 and many others; also what models are told whose templates know no tools. */
export const HERMES: ToolFormat = {
  name: "hermes",
  trigger: "<tool_call>",
  open: "",
  call: ['\n{"name": "', '", "arguments": ', "}\n</tool_call>"],
  separator: "\n<tool_call>",
  close: "",
};

/** Llama 3.1 to 3.3: the call is the whole answer. */
export const LLAMA3: ToolFormat = {
  name: "llama3",
  trigger: '{"name": "',
  open: "",
  call: ["", '", "parameters": ', "}"],
  close: "",
  isWhole: true,
};

/** Mistral's models from 7B v0.3 on: a list. */
export const MISTRAL: ToolFormat = {
  name: "mistral",
  trigger: "[TOOL_CALLS]",
  open: "[",
  call: ['{"name": "', '", "arguments": ', "}"],
  separator: ", ",
  close: "]",
};

/** Granite 3: a list. */
export const GRANITE: ToolFormat = { ...MISTRAL, name: "granite", trigger: "<|tool_call|>" };

/** DeepSeek V3 and R1. */
export const DEEPSEEK: ToolFormat = {
  name: "deepseek",
  trigger: "<｜tool▁calls▁begin｜>",
  open: "",
  call: ["<｜tool▁call▁begin｜>function<｜tool▁sep｜>", "\n```json\n", "\n```<｜tool▁call▁end｜>"],
  separator: "\n",
  close: "<｜tool▁calls▁end｜>",
};

/** DeepSeek V3.1: names and arguments without anything around them. */
export const DEEPSEEK31: ToolFormat = {
  ...DEEPSEEK,
  name: "deepseek-v3.1",
  call: ["<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"],
  separator: "",
};

/** Mistral Small 3.2, Magistral, Devstral and what came after them: each call has its sign. */
export const MISTRAL_ARGS: ToolFormat = {
  name: "mistral-args",
  trigger: "[TOOL_CALLS]",
  open: "",
  call: ["", "[ARGS]", ""],
  separator: "[TOOL_CALLS]",
  close: "",
};

/** Phi-4 mini: a list. */
export const PHI4: ToolFormat = {
  ...MISTRAL,
  name: "phi4",
  trigger: "<|tool_call|>",
  close: "]<|/tool_call|>",
};

/** Qwen3-Coder: parameters as tags, texts as they are. */
export const QWEN_CODER: ToolFormat = {
  name: "qwen3-coder",
  trigger: "<tool_call>",
  open: "",
  call: ["\n<function=", ">\n", "</function>\n</tool_call>"],
  tags: { before: "<parameter=", between: ">", after: "</parameter>", ownLines: true },
  separator: "\n<tool_call>",
  close: "",
};

/** GLM 4.5 to 4.7: names and values as tags. */
export const GLM: ToolFormat = {
  name: "glm",
  trigger: "<tool_call>",
  open: "",
  call: ["", "\n", "</tool_call>"],
  tags: { before: "<arg_key>", between: "</arg_key>\n<arg_value>", after: "</arg_value>" },
  separator: "\n<tool_call>",
  close: "",
};

/** MiniMax M2. */
export const MINIMAX: ToolFormat = {
  name: "minimax",
  trigger: "<minimax:tool_call>",
  open: "\n",
  call: ['<invoke name="', '">\n', "</invoke>\n"],
  tags: { before: '<parameter name="', between: '">', after: "</parameter>" },
  separator: "",
  close: "</minimax:tool_call>",
};

/** gpt-oss: a message to the function, on a channel of its own. Its grammar and its reader are its own, too. */
export const HARMONY: ToolFormat = {
  name: "harmony",
  trigger: "<|channel|>commentary to=functions.",
  open: "",
  call: ["", "<|constrain|>json<|message|>", "<|call|>"],
  close: "<|end|><|start|>assistant<|channel|>final<|message|><|return|>",
};

/** Functionary 3.2: names behind signs, arguments on the next line. */
export const FUNCTIONARY: ToolFormat = {
  name: "functionary",
  trigger: ">>>",
  open: "",
  call: ["", "\n", ""],
  separator: ">>>",
  close: "",
};

export const TOOL_FORMATS: readonly ToolFormat[] = [
  ...[HERMES, LLAMA3, MISTRAL, MISTRAL_ARGS, GRANITE, PHI4, DEEPSEEK, DEEPSEEK31, FUNCTIONARY],
  ...[QWEN_CODER, GLM, MINIMAX, HARMONY],
];

/** How a template's model writes calls; undefined where the template knows no tools. */
export function formatOf(template: string): ToolFormat | undefined {
  if (!/\btools\b|\bxml_tools\b/.test(template)) return undefined;
  if (template.includes("<|channel|>") && template.includes("functions")) return HARMONY;
  if (template.includes(DEEPSEEK.trigger)) return template.includes("```json") ? DEEPSEEK : DEEPSEEK31;
  if (template.includes(MISTRAL.trigger)) return template.includes("[ARGS]") ? MISTRAL_ARGS : MISTRAL;
  if (template.includes(MINIMAX.trigger)) return MINIMAX;
  if (template.includes("<arg_key>")) return GLM;
  if (template.includes("<function=") && template.includes("<parameter=")) return QWEN_CODER;
  if (template.includes("<|/tool|>")) return PHI4;
  if (template.includes("tool_call|>")) return GRANITE;
  if (template.includes("<tool_call>")) return HERMES;
  if (template.includes(">>>all")) return FUNCTIONARY;
  if (template.includes('"parameters":')) return LLAMA3;
  return undefined;
}

/** All signs of a format. */
export function signsOf({ trigger, open, call, tags, separator = "", close }: ToolFormat): string[] {
  const parameters = tags === undefined ? [] : [tags.before, tags.between, tags.after];
  return signsIn([trigger, open, ...call, ...parameters, separator, close]);
}
