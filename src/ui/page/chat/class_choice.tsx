/** How urgent the next answer is. @module */

import { models } from "../core/models.ts";
import { useStore } from "../core/store.ts";
import { useWords } from "../core/words.ts";
import { changeSettings, settings } from "./settings.ts";

/** Classes that every server has by default are called by what they mean. */
export function useClassName(): (name: string) => string {
  const { classNames } = useWords();
  return (name) => Object.hasOwn(classNames, name) ? classNames[name as keyof typeof classNames] : name;
}

export function ClassChoice() {
  const words = useWords();
  const nameOf = useClassName();
  const all = useStore(models);
  const chosen = useStore(settings);
  const model = all.find(({ id }) => id === chosen.model) ?? all[0];
  if (model === undefined || model.kumi.classes.length < 2) return null;
  const { classes, default_class } = model.kumi;
  const selected = classes.includes(chosen.class) ? chosen.class : default_class;
  return (
    <fieldset class="segments">
      <legend class="unseen">{words.class}</legend>
      {classes.map((name, i) => (
        <label key={name} data-class={i} class={name === selected ? "on" : ""}>
          <input
            type="radio"
            name="class"
            value={name}
            checked={name === selected}
            onChange={() => changeSettings({ class: name })}
          />
          {nameOf(name)}
        </label>
      ))}
    </fieldset>
  );
}
