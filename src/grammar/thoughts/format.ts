/** How models mark what they think before they answer. @module */

/** One way of marking thoughts. */
export interface ThoughtFormat {
  readonly name: string;
  /** Where thoughts begin and end; control tokens where the vocabulary has some of these texts. */
  readonly open: string;
  readonly close: string;
  /** What ends thoughts that must be ended: the first of these that may follow. */
  readonly endings: readonly string[];
  /** Signs that models write around what they say behind their thoughts; no part of it. */
  readonly around?: readonly [before: string, after: string];
  /** More signs that answers have. */
  readonly signs?: readonly string[];
  /** Whether there may be thoughts anywhere; otherwise they stand at the beginning of an answer. */
  readonly reopens?: boolean;
}

/** Where the first token of an answer stands, as its prompt has it. "either": the answer itself says. */
export type ThoughtsAt = "inside" | "outside" | "either";

function between(name: string, open: string, close: string, around?: readonly [string, string]) {
  return { name, open, close, endings: [`\n${close}\n\n`], ...around && { around } } as const;
}

/** Qwen 3, DeepSeek R1, GLM 4.5, SmolLM3, the first Magistral and many others. */
export const THINK: ThoughtFormat = between("think", "<think>", "</think>");
/** Granite 3.3. */
export const GRANITE_THOUGHTS: ThoughtFormat = between("granite", "<think>", "</think>", [
  "<response>",
  "</response>",
]);
/** Magistral from 1.2 on. */
export const MAGISTRAL: ThoughtFormat = between("magistral", "[THINK]", "[/THINK]");
/** Command A Reasoning and Command R7B. */
export const COMMAND: ThoughtFormat = between("command", "<|START_THINKING|>", "<|END_THINKING|>", [
  "<|START_RESPONSE|>",
  "<|END_RESPONSE|>",
]);
/** Seed-OSS. */
export const SEED: ThoughtFormat = between("seed", "<seed:think>", "</seed:think>");
/** EXAONE Deep. */
export const EXAONE: ThoughtFormat = between("exaone", "<thought>", "</thought>");
/** gpt-oss: a channel of its own, which the model may come back to. */
export const HARMONY_THOUGHTS: ThoughtFormat = {
  name: "harmony",
  open: "<|channel|>analysis<|message|>",
  close: "<|end|>",
  endings: [
    "<|end|><|start|>assistant<|channel|>final<|message|>",
    "<|end|><|start|>assistant<|channel|>commentary to=functions.",
  ],
  reopens: true,
  signs: ["<|constrain|>", "<|call|>", "<|return|>"],
};

export const THOUGHT_FORMATS: readonly ThoughtFormat[] = [
  HARMONY_THOUGHTS,
  MAGISTRAL,
  COMMAND,
  SEED,
  EXAONE,
  GRANITE_THOUGHTS,
  THINK,
];

/** How a template's model marks its thoughts; undefined where the template has no mark. */
export function thoughtFormatOf(template: string): ThoughtFormat | undefined {
  if (template.includes("<|channel|>analysis")) return HARMONY_THOUGHTS;
  return THOUGHT_FORMATS.find(({ open, close, name }) =>
    (template.includes(open) || template.includes(close)) &&
    (name !== GRANITE_THOUGHTS.name || template.includes("<response>"))
  );
}

/** The format of this name. */
export function thoughtFormatNamed(name: string): ThoughtFormat | undefined {
  return THOUGHT_FORMATS.find((format) => format.name === name);
}

/**
 * Where an answer begins, by the end of its prompt: inside of thoughts that the prompt has opened, or behind some that it has
 * closed.
 */
export function thoughtsAt({ open, close, reopens }: ThoughtFormat, prompt: string): ThoughtsAt {
  const end = prompt.trimEnd();
  if (end.endsWith(open)) return "inside";
  return !reopens && end.endsWith(close) ? "outside" : "either";
}
