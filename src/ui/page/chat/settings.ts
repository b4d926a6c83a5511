/** What a conversation asks the model for. @module */

import { keptStore, Store } from "../core/store.ts";

/** Sampling fields that the drawer has, with their bounds as the server has them. */
export const SAMPLING = {
  temperature: { min: 0, max: 2, step: 0.05, fallback: 0.8 },
  top_p: { min: 0, max: 1, step: 0.01, fallback: 1 },
  top_k: { min: 0, max: 200, step: 1, fallback: 0 },
  min_p: { min: 0, max: 1, step: 0.01, fallback: 0 },
  repeat_penalty: { min: 0.5, max: 2, step: 0.05, fallback: 1 },
  presence_penalty: { min: -2, max: 2, step: 0.1, fallback: 0 },
  frequency_penalty: { min: -2, max: 2, step: 0.1, fallback: 0 },
} as const;

export type SamplingName = keyof typeof SAMPLING;

export interface ChatSettings {
  /** "": the server's first. */
  readonly model: string;
  /** "": the model's default. */
  readonly class: string;
  readonly system: string;
  /** What differs from the model's defaults. */
  readonly sampling: Readonly<Partial<Record<SamplingName, number>>>;
  /** Most tokens of an answer; undefined: as many as there is room for. */
  readonly maxTokens?: number;
  /** The seed of every answer; undefined: another one each time. */
  readonly pinnedSeed?: number;
  readonly thinking: "auto" | "on" | "off";
  readonly format: "text" | "json" | "schema";
  /** JSON texts as they were written; they may be wrong. */
  readonly schema: string;
  readonly tools: string;
}

export const DEFAULTS: ChatSettings = {
  model: "",
  class: "",
  system: "",
  sampling: {},
  thinking: "auto",
  format: "text",
  schema: "",
  tools: "",
};

const kept = keptStore<string>(() => localStorage, "kumi.chat", "{}");
export const settings = new Store<ChatSettings>(read(kept.value));
settings.listen(() => kept.set(JSON.stringify(settings.value)));

export function changeSettings(change: Partial<ChatSettings>): void {
  settings.set({ ...settings.value, ...change });
}

function read(text: string): ChatSettings {
  try {
    return { ...DEFAULTS, ...JSON.parse(text) };
  } catch {
    return DEFAULTS;
  }
}

/** The JSON of a text that may be empty; "wrong" where it is none. */
export function parsed(text: string): unknown | undefined | "wrong" {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return "wrong";
  }
}
