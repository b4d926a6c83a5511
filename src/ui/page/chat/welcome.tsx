/** What an empty conversation shows: who answers, and how to begin. @module */

import { Mark } from "../core/icon.tsx";
import { factsOf, models, modelsError, type ServedModel } from "../core/models.ts";
import { useStore } from "../core/store.ts";
import { count, fill, useWords } from "../core/words.ts";
import { bytes, short } from "../core/units.ts";
import { send } from "./actions.ts";
import { settings } from "./settings.ts";
import { Trouble } from "./trouble.tsx";

export function Welcome() {
  const words = useWords();
  const all = useStore(models);
  const error = useStore(modelsError);
  const { model: chosen } = useStore(settings);
  const model = all.find(({ id }) => id === chosen) ?? all[0];
  return (
    <div class="welcome">
      <Mark size={56} />
      <h2>{words.welcome}</h2>
      <p class="lead">{words.welcomeLead}</p>
      {model === undefined
        ? error === null ? <p class="muted">{words.connecting}</p> : <Trouble failure={error} />
        : <ModelCard model={model} />}
      <ul class="suggestions">
        {words.suggestions.map((text) => (
          <li key={text}>
            <button type="button" disabled={model === undefined} onClick={() => send(text, [])}>
              {text}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function ModelCard({ model }: { model: ServedModel }) {
  const words = useWords();
  const { id } = model;
  const kumi = factsOf(model);
  const { state = "ready" } = model.kumi;
  if (kumi === null) {
    return (
      <div class="model-card">
        <strong>{id}</strong>
        <span>{words.modelStates[state]}</span>
      </div>
    );
  }
  const facts = [
    fill(words.parameters, { n: short(kumi.parameters) }),
    bytes(kumi.weight_bytes),
    fill(words.context, { n: count(kumi.context_length) }),
    fill(words.machine, { isa: kumi.isa, n: kumi.threads }),
    ...state === "ready" ? [] : [words.modelStates[state]],
  ];
  return (
    <div class="model-card">
      <strong>{kumi.name ?? id}</strong>
      <span>{facts.join(" · ")}</span>
      {!kumi.has_chat_template && <p class="notice">{words.noTemplate}</p>}
    </div>
  );
}
