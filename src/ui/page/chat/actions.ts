/** What one can do in a conversation. @module */

import { Failure, isAbort } from "../core/api.ts";
import { Store } from "../core/store.ts";
import { type Answer, answers } from "./answer.ts";
import { change, current } from "./chats.ts";
import {
  type AttachedFile,
  type Conversation,
  type KeptFailure,
  newId,
  shownTurns,
  type Turn,
  turnsBefore,
  withChange,
  withTurn,
} from "./conversation.ts";
import { chatBody, newSeed } from "./request.ts";
import { type ChatSettings, settings } from "./settings.ts";

/** What stops the answers that are on their way, by turn. */
const running = new Map<string, AbortController>();
/** Answers on their way. */
export const runningTurns = new Store<ReadonlySet<string>>(new Set());

/** Sends a message behind the last one. */
export function send(text: string, files: readonly AttachedFile[]): void {
  const last = shownTurns(current.value).at(-1);
  addMessage({ text, files, parent: last?.id ?? null });
}

/** Sends another message in place of one. */
export function resend(turn: Turn, text: string): void {
  addMessage({ text, files: turn.files, parent: turn.parent });
}

/** Gives the result of a tool, and asks on when all calls have theirs. */
export function giveResult(answer: Turn, results: readonly { callId: string; text: string }[]): void {
  const { id } = current.value;
  let parent = answer.id;
  for (const { callId, text } of results) {
    const turn: Turn = { id: newId(), parent, role: "tool", text, callId, at: Date.now(), state: "done" };
    change(id, (before) => withTurn(before, turn));
    parent = turn.id;
  }
  void answerTo(id, parent);
}

function addMessage({ text, files, parent }: Pick<Turn, "text" | "files" | "parent">): void {
  const { id } = current.value;
  const turn: Turn = { id: newId(), parent, role: "user", text, files, at: Date.now(), state: "done" };
  change(id, (before) => withTurn(before, turn));
  void answerTo(id, turn.id);
}

/** Asks for another answer beside one. */
export function regenerate(answer: Turn): void {
  if (answer.parent !== null) void answerTo(current.value.id, answer.parent);
}

/** Asks again in place of an answer that failed. */
export function retry(answer: Turn): void {
  const { id } = current.value;
  change(
    id,
    (before) => withChange(before, answer.id, { state: "running", failure: undefined, text: "" }),
    false,
  );
  void run(id, answer.id);
}

export function stop(turnId: string): void {
  running.get(turnId)?.abort();
}

async function answerTo(conversationId: string, parent: string): Promise<void> {
  const { pinnedSeed } = settings.value;
  const asked: ChatSettings & { seed: number } = { ...settings.value, seed: pinnedSeed ?? newSeed() };
  const turn: Turn = {
    id: newId(),
    parent,
    role: "assistant",
    text: "",
    at: Date.now(),
    state: "running",
    asked,
  };
  change(conversationId, (before) => withTurn(before, turn), false);
  await run(conversationId, turn.id);
}

async function run(conversationId: string, turnId: string): Promise<void> {
  const abort = new AbortController();
  mark(turnId, abort);
  const write = (part: Partial<Turn>, isKept: boolean) =>
    change(conversationId, (before) => withChange(before, turnId, part), isKept);
  try {
    const body = bodyOf(current.value, turnId);
    let last: Answer | undefined;
    let isDrawn = true;
    for await (last of answers(body, abort.signal)) {
      if (!isDrawn) continue;
      isDrawn = false;
      // Once a frame: a fast model says more than a screen can show.
      requestAnimationFrame(() => {
        isDrawn = true;
        if (running.has(turnId)) write(partOf(last!), false);
      });
    }
    mark(turnId, null);
    write(
      { ...last === undefined ? {} : partOf(last), state: last?.finish === "length" ? "cut" : "done" },
      true,
    );
  } catch (error) {
    mark(turnId, null);
    write(isAbort(error) ? { state: "stopped" } : { state: "failed", failure: keptFailure(error) }, true);
  }
}

function bodyOf(conversation: Conversation, turnId: string): object {
  const turn = conversation.turns[turnId];
  return chatBody(turnsBefore(conversation, turn), turn.asked!);
}

function partOf({ text, reasoning, calls, figures }: Answer): Partial<Turn> {
  return { text, reasoning, calls, figures };
}

function keptFailure(error: unknown): KeptFailure {
  if (!(error instanceof Failure)) return { status: 0, code: "", message: String(error) };
  const { status, code, message, retrySeconds } = error;
  return { status, code, message, retrySeconds };
}

function mark(turnId: string, abort: AbortController | null): void {
  if (abort === null) running.delete(turnId);
  else running.set(turnId, abort);
  runningTurns.set(new Set(running.keys()));
}
