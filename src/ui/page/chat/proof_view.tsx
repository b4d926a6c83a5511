/** What became of a proof. @module */

import { Icon } from "../core/icon.tsx";
import { duration } from "../core/units.ts";
import { count, fill, useWords } from "../core/words.ts";
import type { Proof } from "./proof.ts";

export function ProofView({ proof }: { proof: Proof }) {
  const words = useWords();
  return <div class={`proof ${proof.state}`} role="status">{contentOf()}</div>;

  function contentOf() {
    switch (proof.state) {
      case "running":
        return (
          <>
            <progress max={1} value={proof.share} aria-label={words.proving} /> {words.proving}
          </>
        );
      case "same":
        return (
          <>
            <Icon name="check" />
            <span>
              {fill(words.proofSame, { n: count(proof.characters), t: duration(proof.ms) })}
              {proof.hash !== null && <code>SHA-256 {proof.hash}…</code>}
            </span>
          </>
        );
      case "different":
        return (
          <>
            <Icon name="close" />
            <span>
              {fill(words.proofDifferent, { n: proof.at })} <code>{proof.was}</code> ≠ <code>{proof.is}</code>
            </span>
          </>
        );
      case "failed":
        return <span>{fill(words.proofFailed, { why: proof.message })}</span>;
    }
  }
}
