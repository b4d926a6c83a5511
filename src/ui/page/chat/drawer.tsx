/** What answers are asked for: instructions, sampling, shape, tools. @module */

import { Icon } from "../core/icon.tsx";
import { models } from "../core/models.ts";
import { useStore } from "../core/store.ts";
import { fill, useWords } from "../core/words.ts";
import {
  changeSettings,
  type ChatSettings,
  DEFAULTS,
  parsed,
  SAMPLING,
  type SamplingName,
  settings,
} from "./settings.ts";

const TOOLS_HINT = '[{ "name": "weather", "parameters": { … } }]';
const SCHEMA_HINT = '{ "type": "object", "properties": { … } }';

export function Drawer({ isOpen, close }: { isOpen: boolean; close: () => void }) {
  const words = useWords();
  const now = useStore(settings);
  return (
    <aside id="drawer" class="drawer" aria-label={words.settings} hidden={!isOpen}>
      <header class="row">
        <h2>{words.settings}</h2>
        <span class="space" />
        <button type="button" class="quiet" onClick={close} aria-label={words.close}>
          <Icon name="close" />
        </button>
      </header>
      <label class="field">
        {words.system}
        <textarea
          rows={4}
          value={now.system}
          placeholder={words.systemHint}
          onInput={(event) => changeSettings({ system: event.currentTarget.value })}
        />
      </label>
      <Sampling now={now} />
      <Thinking now={now} />
      <Shape now={now} />
      <label class="field">
        {words.tools}
        <textarea
          rows={4}
          class="mono"
          spellcheck={false}
          value={now.tools}
          placeholder={TOOLS_HINT}
          aria-invalid={parsed(now.tools) === "wrong"}
          onInput={(event) => changeSettings({ tools: event.currentTarget.value })}
        />
        <Invalid text={now.tools} />
      </label>
      <button
        type="button"
        class="plain-button"
        onClick={() =>
          changeSettings({
            ...DEFAULTS,
            model: now.model,
            class: now.class,
            maxTokens: undefined,
            pinnedSeed: undefined,
          })}
      >
        <Icon name="retry" /> {words.resetSettings}
      </button>
    </aside>
  );
}

function Invalid({ text }: { text: string }) {
  const words = useWords();
  return parsed(text) === "wrong" ? <span class="invalid" role="status">{words.notJson}</span> : null;
}

function Sampling({ now }: { now: ChatSettings }) {
  const words = useWords();
  const all = useStore(models);
  const defaults = (all.find(({ id }) => id === now.model) ?? all[0])?.kumi.sampling ?? {};
  const set = (name: SamplingName, value: number | undefined) => {
    const { [name]: _, ...others } = now.sampling;
    changeSettings({ sampling: value === undefined ? others : { ...others, [name]: value } });
  };
  return (
    <fieldset class="sampling">
      <legend>{words.sampling}</legend>
      {(Object.keys(SAMPLING) as SamplingName[]).map((name) => {
        const { fallback, ...bounds } = SAMPLING[name];
        const usual = defaults[name] ?? fallback;
        const value = now.sampling[name] ?? usual;
        return (
          <div class="slider" key={name} data-changed={now.sampling[name] !== undefined}>
            <label for={`sampling-${name}`}>{words.samplingNames[name]}</label>
            <output for={`sampling-${name}`}>{value}</output>
            <input
              id={`sampling-${name}`}
              type="range"
              {...bounds}
              value={value}
              onInput={(event) => set(name, Number(event.currentTarget.value))}
            />
            <button
              type="button"
              class="quiet"
              disabled={now.sampling[name] === undefined}
              onClick={() => set(name, undefined)}
              aria-label={fill(words.backToDefault, { name: words.samplingNames[name], n: usual })}
              title={fill(words.defaultIs, { n: usual })}
            >
              <Icon name="retry" />
            </button>
          </div>
        );
      })}
      <div class="pair">
        <NumberField
          label={words.maxTokens}
          value={now.maxTokens}
          min={1}
          set={(maxTokens) => changeSettings({ maxTokens })}
        />
        <NumberField
          label={words.pinnedSeed}
          value={now.pinnedSeed}
          min={0}
          set={(pinnedSeed) => changeSettings({ pinnedSeed })}
        />
      </div>
    </fieldset>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly value?: number;
  readonly min: number;
  readonly set: (value: number | undefined) => void;
}

function NumberField({ label, value, min, set }: NumberFieldProps) {
  const words = useWords();
  const onInput = (text: string) => {
    const number = Number(text);
    set(text.trim() === "" || !Number.isSafeInteger(number) || number < min ? undefined : number);
  };
  return (
    <label class="field">
      {label}
      <input
        type="number"
        min={min}
        step={1}
        value={value ?? ""}
        placeholder={words.any}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}

function Thinking({ now }: { now: ChatSettings }) {
  const words = useWords();
  return (
    <Choice
      label={words.reasoning}
      name="thinking"
      value={now.thinking}
      choices={{ auto: words.auto, on: words.on, off: words.off }}
      set={(thinking) => changeSettings({ thinking })}
    />
  );
}

function Shape({ now }: { now: ChatSettings }) {
  const words = useWords();
  return (
    <>
      <Choice
        label={words.shape}
        name="shape"
        value={now.format}
        choices={{ text: words.shapeText, json: "JSON", schema: words.shapeSchema }}
        set={(format) => changeSettings({ format })}
      />
      {now.format === "schema" && (
        <label class="field">
          {words.schema}
          <textarea
            rows={8}
            class="mono"
            spellcheck={false}
            value={now.schema}
            placeholder={SCHEMA_HINT}
            aria-invalid={parsed(now.schema) === "wrong"}
            onInput={(event) => changeSettings({ schema: event.currentTarget.value })}
          />
          <Invalid text={now.schema} />
        </label>
      )}
    </>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly name: string;
  readonly value: T;
  readonly choices: Readonly<Record<T, string>>;
  readonly set: (value: T) => void;
}

function Choice<T extends string>({ label, name, value, choices, set }: ChoiceProps<T>) {
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      <div class="segments">
        {(Object.keys(choices) as T[]).map((each) => (
          <label key={each} class={each === value ? "on" : ""}>
            <input
              type="radio"
              name={name}
              value={each}
              checked={each === value}
              onChange={() => set(each)}
            />
            {choices[each]}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
