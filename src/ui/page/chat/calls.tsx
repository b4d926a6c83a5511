/** Calls of tools, and the place for what the tools say. @module */

import { useState } from "preact/hooks";
import { Code } from "../core/code.tsx";
import { Icon } from "../core/icon.tsx";
import { useWords } from "../core/words.ts";
import { giveResult } from "./actions.ts";
import type { Turn } from "./conversation.ts";

export function Calls({ turn, canAnswer }: { turn: Turn; canAnswer: boolean }) {
  const words = useWords();
  const calls = turn.calls ?? [];
  const [results, setResults] = useState<Readonly<Record<number, string>>>({});
  const submit = (event: Event) => {
    event.preventDefault();
    giveResult(turn, calls.map(({ id }, i) => ({ callId: id, text: results[i] ?? "" })));
  };
  return (
    <form class="calls" onSubmit={submit}>
      {calls.map(({ name, arguments: given }, i) => (
        <div class="call" key={i}>
          <span class="tag">
            <Icon name="tool" /> {name}
          </span>
          <Code text={indented(given)} language="json" />
          {canAnswer && (
            <label>
              {words.toolResult}
              <textarea
                rows={2}
                onInput={({ currentTarget: { value } }) => setResults((all) => ({ ...all, [i]: value }))}
              />
            </label>
          )}
        </div>
      ))}
      {canAnswer && <button type="submit" class="main">{words.giveResult}</button>}
    </form>
  );
}

function indented(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    // It is still being written.
    return json;
  }
}
