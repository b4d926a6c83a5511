/** Waits as long as the server said, tries again, and can be told not to. @module */

import { useEffect, useState } from "preact/hooks";
import { fill, useWords } from "../core/words.ts";

export function CountDown({ seconds, then }: { seconds: number; then: () => void }) {
  const words = useWords();
  const [left, setLeft] = useState<number | null>(seconds);
  useEffect(() => {
    if (left === null) return;
    if (left <= 0) return then();
    const timer = setTimeout(() => setLeft(left - 1), 1000);
    return () => clearTimeout(timer);
  }, [left]);
  return (
    <>
      <button type="button" class="main" onClick={then}>{words.tryNow}</button>
      {left !== null && (
        <>
          <button type="button" class="plain-button" onClick={() => setLeft(null)}>{words.dontWait}</button>
          <span class="countdown" role="timer">{fill(words.retryIn, { n: left })}</span>
        </>
      )}
    </>
  );
}
