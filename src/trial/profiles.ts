/**
 * The kinds of traffic that a trial can be made with where there is none of one's own. Lengths come from public
 * traces; how much prompts share, how often users ask and the objectives are assumptions, and say so.
 * @module
 */

import { type LengthTable, TRACE_LENGTHS } from "./lengths.ts";
import type { TrialObjective } from "./report_data.ts";

/** Requests of one kind within a profile. */
export interface ProfilePart {
  /** Latency class. */
  readonly class: string;
  /** Of the requests. */
  readonly share: number;
  readonly prompts: LengthTable;
  readonly answers: LengthTable;
  /** Tokens that all prompts of the part begin with, such as instructions. */
  readonly instructionTokens: number;
  /** Mean number of requests that follow one another and repeat what was said before; 1: none do. */
  readonly turns: number;
  /** Documents that prompts are about, the popular ones more often (Zipf); 0: none are shared. */
  readonly documents: number;
}

export interface Profile {
  readonly summary: string;
  readonly sources: readonly string[];
  readonly parts: readonly ProfilePart[];
  /** Of a user who is at work. */
  readonly requestsPerUserSecond: number;
  readonly objectives: readonly Omit<TrialObjective, "from">[];
}

export type ProfileName = "chat" | "rag" | "bulk" | "agents" | "mixed";

/** Where lengths and objectives come from, one sentence each; reports have them word for word. */
export const PROFILE_SOURCES = {
  conversations:
    "Lengths of prompts and answers: Azure LLM inference trace 2023, conversations (19,366 requests; Patel et al., Splitwise, ISCA 2024).",
  code:
    "Lengths of prompts: Azure LLM inference trace 2023, code (8,819 requests; Patel et al., Splitwise, ISCA 2024).",
  conversationAnswers: "Lengths of answers: Azure LLM inference trace 2023, conversations.",
  codeAnswers: "Lengths of answers: Azure LLM inference trace 2023, code.",
  assumed:
    "Assumed, not measured: what prompts have in common, how often a user asks, arrivals as a Poisson process.",
  objectives:
    "Objectives: 200 ms between tokens is the limit of MLPerf Inference's server scenario for Llama 2 70B and a little faster than people read; 5 s to the first token is assumed.",
  ragObjectives:
    "Objectives: 200 ms between tokens as MLPerf Inference has it; 10 s to the first token is assumed.",
} as const;

/** A person reads faster than 5 tokens a second hardly ever. */
const ITL_MS = 200;

const CHAT: ProfilePart = {
  class: "interactive",
  share: 1,
  prompts: TRACE_LENGTHS.azureConversationPrompts,
  answers: TRACE_LENGTHS.azureConversationAnswers,
  instructionTokens: 128,
  turns: 3,
  documents: 0,
};

const BULK: ProfilePart = {
  class: "batch",
  share: 1,
  prompts: TRACE_LENGTHS.azureConversationPrompts,
  answers: TRACE_LENGTHS.azureCodeAnswers,
  instructionTokens: 256,
  turns: 1,
  documents: 0,
};

const interactive = (ttftMs: number) => ({
  class: "interactive",
  ttftMs,
  itlMs: ITL_MS,
  itlStat: "mean" as const,
});
const BATCH = { class: "batch", ttftMs: null, itlMs: null, itlStat: "mean" as const };

const { conversations, code, conversationAnswers, codeAnswers, assumed, objectives, ragObjectives } =
  PROFILE_SOURCES;

export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  chat: {
    summary: "people in conversation: prompts with their history, answers of some sentences",
    sources: [conversations, objectives, assumed],
    parts: [CHAT],
    requestsPerUserSecond: 1 / 60,
    objectives: [interactive(5000)],
  },
  rag: {
    summary: "questions about documents: long prompts out of a collection, answers of some sentences",
    sources: [
      code,
      conversationAnswers,
      ragObjectives,
      assumed,
    ],
    parts: [{
      class: "interactive",
      share: 1,
      prompts: TRACE_LENGTHS.azureCodePrompts,
      answers: TRACE_LENGTHS.azureConversationAnswers,
      instructionTokens: 200,
      turns: 1,
      documents: 200,
    }],
    requestsPerUserSecond: 1 / 120,
    objectives: [interactive(10_000)],
  },
  bulk: {
    summary: "work for the night: texts to be classified or extracted from, short answers, nobody waits",
    sources: [conversations, codeAnswers, assumed],
    parts: [BULK],
    requestsPerUserSecond: 1,
    objectives: [BATCH],
  },
  agents: {
    summary: "programs that call tools: long prompts that grow from turn to turn, short answers",
    sources: [code, codeAnswers, objectives, assumed],
    parts: [{
      class: "interactive",
      share: 1,
      prompts: TRACE_LENGTHS.azureCodePrompts,
      answers: TRACE_LENGTHS.azureCodeAnswers,
      instructionTokens: 512,
      turns: 8,
      documents: 0,
    }],
    requestsPerUserSecond: 1 / 10,
    objectives: [interactive(5000)],
  },
  mixed: {
    summary: "seven requests in ten of people in conversation, three of bulk work",
    sources: [conversations, objectives, assumed],
    parts: [{ ...CHAT, share: 0.7 }, { ...BULK, share: 0.3 }],
    requestsPerUserSecond: 1 / 60,
    objectives: [interactive(5000), BATCH],
  },
};

export const PROFILE_NAMES = Object.keys(PROFILES) as ProfileName[];
