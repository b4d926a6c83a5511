/** The last step: who was in it. @module */

import type { FeedWorker } from "../../feed.ts";
import { duration } from "../core/units.ts";
import { count, fill, useWords } from "../core/words.ts";
import { useClassName } from "../chat/class_choice.tsx";

type Step = NonNullable<FeedWorker["engine"]>["step"];

export function StepBar({ step, classes }: { step: Step; classes: readonly string[] }) {
  const words = useWords();
  const nameOf = useClassName();
  if (step === null || step.parts.length === 0) return <p class="muted">{words.noStep}</p>;
  const tokens = step.parts.reduce((sum, part) => sum + part.tokens, 0);
  const groups = classes.flatMap((name, colour) =>
    [true, false].map((isDecode) => {
      const parts = step.parts.filter((part) => part.class === name && part.isDecode === isDecode);
      return { name, colour, isDecode, parts, tokens: parts.reduce((sum, part) => sum + part.tokens, 0) };
    })
  ).filter(({ parts }) => parts.length > 0);
  return (
    <div class="step">
      <p>{fill(words.stepFacts, { n: step.parts.length, tokens: count(tokens), t: duration(step.ms) })}</p>
      <div class="step-bar" aria-hidden="true">
        {groups.flatMap(({ colour, isDecode, parts }) =>
          parts.map((part, i) => (
            <span
              key={`${colour}${isDecode}${i}`}
              data-class={colour}
              class={isDecode ? "decode" : "prefill"}
              ref={(element) => element?.style.setProperty("flex-grow", `${part.tokens}`)}
            />
          ))
        )}
      </div>
      <ul class="legend">
        {groups.map(({ name, colour, isDecode, parts, tokens }) => (
          <li key={name + isDecode} data-class={colour} class={isDecode ? "" : "prefill"}>
            {fill(isDecode ? words.stepDecode : words.stepPrefill, {
              class: nameOf(name),
              n: parts.length,
              tokens: count(tokens),
            })}
          </li>
        ))}
      </ul>
    </div>
  );
}
