/** What went wrong, in words, and what to do about it. @module */

import { keyWanted } from "../core/api.ts";
import { useWords } from "../core/words.ts";
import type { Words } from "../words/en.ts";
import { startChat } from "./chats.ts";
import { CountDown } from "./countdown.tsx";

interface Trouble {
  readonly status?: number;
  readonly code?: string;
  readonly message: string;
  readonly retrySeconds?: number;
}

/** Codes with words of their own. The server's sentence stands beside them: it has the numbers. */
function explain({ status = 0, code = "" }: Trouble, words: Words): { title: string; help: string } {
  const { trouble } = words;
  if (code === "context_length_exceeded") return trouble.contextFull;
  if (code === "queue_full" || code === "too_late" || code === "deadline_missed") return trouble.busy;
  if (status === 401) return trouble.key;
  if (code === "unreachable") return trouble.unreachable;
  if (code === "broken") return trouble.broken;
  if (code === "loading") return trouble.loading;
  if (code === "no_room" || code === "model_too_large") return trouble.noRoom;
  if (code === "load_failed") return trouble.loadFailed;
  if (code === "unloaded") return trouble.unloaded;
  if (code === "draining") return trouble.draining;
  if (status === 429) return trouble.busy;
  if (status >= 500) return trouble.server;
  if (status >= 400) return trouble.refused;
  return trouble.other;
}

export function Trouble({ failure, again }: { failure: Trouble; again?: () => void }) {
  const words = useWords();
  const { title, help } = explain(failure, words);
  const { status = 0, code, message, retrySeconds } = failure;
  const canWait = again !== undefined && status === 429 && retrySeconds !== undefined;
  return (
    <div class="trouble" role="alert">
      <strong>{title}</strong>
      <p>{help}</p>
      {message !== "" && status > 0 && <p class="detail">{message}</p>}
      <div class="row">
        {canWait && <CountDown seconds={retrySeconds} then={again} />}
        {again !== undefined && !canWait && (
          <button type="button" class="main" onClick={again}>{words.tryAgain}</button>
        )}
        {code === "context_length_exceeded" && (
          <button type="button" class="plain-button" onClick={startChat}>{words.newChat}</button>
        )}
        {status === 401 && (
          <button
            type="button"
            class="plain-button"
            onClick={() => keyWanted.set("missing")}
          >
            {words.enterKey}
          </button>
        )}
      </div>
    </div>
  );
}
