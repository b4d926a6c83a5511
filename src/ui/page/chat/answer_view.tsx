/** What the model has said, what it took, and the proof that it says it again. @module */

import { useEffect, useRef, useState } from "preact/hooks";
import { CopyButton } from "../core/copy.tsx";
import { Icon } from "../core/icon.tsx";
import { Markdown } from "../core/markdown.tsx";
import { duration } from "../core/units.ts";
import { count, fill, useWords } from "../core/words.ts";
import { regenerate, retry } from "./actions.ts";
import { Branches } from "./branches.tsx";
import { Calls } from "./calls.tsx";
import type { Conversation, Turn } from "./conversation.ts";
import { type Proof, prove } from "./proof.ts";
import { ProofView } from "./proof_view.tsx";
import { Trouble } from "./trouble.tsx";

interface Props {
  readonly conversation: Conversation;
  readonly turn: Turn;
  readonly isLast: boolean;
}

export function AnswerView({ conversation, turn, isLast }: Props) {
  const words = useWords();
  const { text, reasoning = "", calls = [], state, failure } = turn;
  const isWaiting = state === "running" && text === "" && reasoning === "" && calls.length === 0;
  return (
    <article class="answer" aria-label={words.assistant} aria-busy={state === "running"}>
      {reasoning !== "" && <Reasoning text={reasoning} isOpen={state === "running" && text === ""} />}
      {isWaiting && (
        <p class="waiting">
          <i />
          <i />
          <i />
          <span class="unseen">{words.answering}</span>
        </p>
      )}
      {text !== "" && <Markdown text={text} />}
      {calls.length > 0 && <Calls turn={turn} canAnswer={isLast && state === "done"} />}
      {state === "stopped" && <p class="muted">{words.stopped}</p>}
      {state === "cut" && <p class="muted">{words.cut}</p>}
      {failure !== undefined && <Trouble failure={failure} again={() => retry(turn)} />}
      {state !== "running" && <Foot conversation={conversation} turn={turn} />}
    </article>
  );
}

function Reasoning({ text, isOpen }: { text: string; isOpen: boolean }) {
  const words = useWords();
  return (
    <details class="reasoning" open={isOpen}>
      <summary>
        <Icon name="thought" /> {isOpen ? words.thinking : words.thoughts}
      </summary>
      <Markdown text={text} />
    </details>
  );
}

function Foot({ conversation, turn }: { conversation: Conversation; turn: Turn }) {
  const words = useWords();
  const [proof, setProof] = useState<Proof | null>(null);
  const abort = useRef<AbortController | null>(null);
  useEffect(() => () => abort.current?.abort(), []);
  const { asked, text, state, calls = [] } = turn;
  const start = () => {
    abort.current?.abort();
    abort.current = new AbortController();
    setProof({ state: "running", share: 0 });
    void prove(conversation, turn, setProof, abort.current.signal);
  };
  const hasAnswer = text !== "" || calls.length > 0 || (turn.reasoning ?? "") !== "";
  return (
    <>
      <footer class="actions">
        <Branches conversation={conversation} turn={turn} />
        {text !== "" && <CopyButton text={text} />}
        <button
          type="button"
          class="quiet"
          onClick={() => regenerate(turn)}
          title={words.regenerate}
          aria-label={words.regenerate}
        >
          <Icon name="retry" />
        </button>
        {asked !== undefined && hasAnswer && state !== "failed" && (
          <button
            type="button"
            class="quiet labelled"
            onClick={start}
            disabled={proof?.state === "running"}
            title={words.sameAnswerHelp}
          >
            <Icon name="same" /> <span>{words.sameAnswer}</span>
          </button>
        )}
        <Facts turn={turn} />
      </footer>
      {proof !== null && <ProofView proof={proof} />}
    </>
  );
}

function Facts({ turn: { figures = {}, asked } }: { turn: Turn }) {
  const words = useWords();
  const { tokensPerSecond, ttftMs, completionTokens, cachedTokens = 0 } = figures;
  const facts = [
    completionTokens !== undefined && fill(words.tokens, { n: count(completionTokens) }),
    tokensPerSecond !== undefined &&
    fill(words.tokensPerSecond, { n: count(tokensPerSecond, tokensPerSecond < 10 ? 1 : 0) }),
    ttftMs !== undefined && fill(words.ttft, { t: duration(ttftMs) }),
    cachedTokens > 0 && fill(words.cached, { n: count(cachedTokens) }),
  ].filter((fact) => fact !== false);
  return (
    <span class="facts">
      {facts.map((fact) => <span key={fact}>{fact}</span>)}
      {asked !== undefined && completionTokens !== undefined && (
        <span class="seed">{fill(words.seed, { n: asked.seed })}</span>
      )}
    </span>
  );
}
