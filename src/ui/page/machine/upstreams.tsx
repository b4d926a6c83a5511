/** Other servers that answer requests. @module */

import type { FeedUpstream } from "../../feed.ts";
import { count, useWords } from "../core/words.ts";

export function Upstreams({ upstreams }: { upstreams: readonly FeedUpstream[] }) {
  const words = useWords();
  return (
    <section class="card">
      <h2>{words.upstreams}</h2>
      <div class="scroll" tabIndex={0} role="group" aria-label={words.upstreams}>
        <table class="workers">
          <thead>
            <tr>
              {[words.upstream, words.state, words.running, words.spentHour, words.spentDay]
                .map((name) => <th key={name} scope="col">{name}</th>)}
            </tr>
          </thead>
          <tbody>
            {upstreams.map(({ name, running, state, spentHour, spentDay }) => (
              <tr key={name} data-upstream={name}>
                <td>{name}</td>
                <td>{words.upstreamStates[state]}</td>
                <td>{count(running)}</td>
                <td>{count(spentHour, 4)}</td>
                <td>{count(spentDay, 4)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
