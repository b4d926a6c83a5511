/** Who waits, and for how long. @module */

import type { WaitingRequest } from "../../../protocol/view.ts";
import { useClassName } from "../chat/class_choice.tsx";
import { duration } from "../core/units.ts";
import { count, fill, useWords } from "../core/words.ts";

const SHOWN = 40;

interface QueueProps {
  readonly waiting: readonly WaitingRequest[];
  /** Of all, also of those that are not told one by one. */
  readonly total: number;
  readonly classes: readonly string[];
}

export function Queue({ waiting, total, classes }: QueueProps) {
  const words = useWords();
  const nameOf = useClassName();
  if (total === 0) return <p class="muted">{words.nobodyWaits}</p>;
  const oldest = Math.max(1, ...waiting.map(({ ageMs }) => ageMs));
  return (
    <>
      <p>{fill(words.queueFacts, { n: count(total), t: duration(oldest) })}</p>
      <ol class="queue" tabIndex={0} aria-label={words.queue}>
        {waiting.slice(0, SHOWN).map(({ class: name, ageMs, tokens }, i) => (
          <li key={i} data-class={classes.indexOf(name)}>
            <span
              class="age"
              aria-hidden="true"
              ref={(element) =>
                element?.style.setProperty("width", `${100 * ageMs / oldest}%`)}
            />
            <span class="of">{nameOf(name)} · {fill(words.tokens, { n: count(tokens) })}</span>
            <span class="time">{duration(ageMs)}</span>
          </li>
        ))}
      </ol>
      {total > SHOWN && <p class="muted">{fill(words.andMore, { n: count(total - SHOWN) })}</p>}
    </>
  );
}
