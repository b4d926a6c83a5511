/** How models write calls of tools: where a call begins, and the signs around its name and its arguments. @module */

/** One way of writing calls. All that is not name or arguments is fixed. */
export interface ToolFormat {
  readonly name: string;
  /** What an answer's first call begins with; a control token where the vocabulary has one of this text. */
  readonly trigger: string;
  /** Between the trigger and the first call. */
  readonly open: string;
  /** Before a call's name, between name and arguments, and behind them. */
  readonly call: readonly [before: string, between: string, after: string];
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

/** Functionary 3.2: names behind signs, arguments on the next line. */
export const FUNCTIONARY: ToolFormat = {
  name: "functionary",
  trigger: ">>>",
  open: "",
  call: ["", "\n", ""],
  separator: ">>>",
  close: "",
};

export const TOOL_FORMATS: readonly ToolFormat[] = [HERMES, LLAMA3, MISTRAL, GRANITE, DEEPSEEK, FUNCTIONARY];

/** How a template's model writes calls; undefined where the template knows no tools. */
export function formatOf(template: string): ToolFormat | undefined {
  if (!/\btools\b|\bxml_tools\b/.test(template)) return undefined;
  if (template.includes(DEEPSEEK.trigger)) return DEEPSEEK;
  if (template.includes(MISTRAL.trigger)) return MISTRAL;
  if (template.includes("tool_call|>")) return GRANITE;
  if (template.includes("<tool_call>")) return HERMES;
  if (template.includes(">>>all")) return FUNCTIONARY;
  if (template.includes('"parameters":')) return LLAMA3;
  return undefined;
}

/** Signs within a format's texts that vocabularies may have as control tokens. */
const SIGN = /(<[|｜][^>]*[|｜]>|\[TOOL_CALLS\]|<\/?tool_call>)/;

/** A text cut into its signs and what is between them. */
export function partsOf(value: string): string[] {
  return value.split(SIGN).filter((part) => part !== "");
}

/** All signs of a format. */
export function signsOf({ trigger, open, call, separator = "", close }: ToolFormat): string[] {
  const parts = [trigger, open, ...call, separator, close].flatMap(partsOf);
  return [...new Set(parts)].filter((part) => SIGN.test(part));
}
