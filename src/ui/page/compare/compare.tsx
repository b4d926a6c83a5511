/** What latency classes do: the same prompt as urgent and as bulk, side by side, while a load runs. @module */

import { useEffect, useRef, useState } from "preact/hooks";
import { useClassName } from "../chat/class_choice.tsx";
import { newSeed } from "../chat/request.ts";
import { settings } from "../chat/settings.ts";
import { Trouble } from "../chat/trouble.tsx";
import { Icon } from "../core/icon.tsx";
import { Markdown } from "../core/markdown.tsx";
import { models, modelsError } from "../core/models.ts";
import { useStore } from "../core/store.ts";
import { duration } from "../core/units.ts";
import { count, fill, useWords } from "../core/words.ts";
import { LOAD_ANSWERS, LOAD_MS, loadSince, startLoad, stopLoad } from "./load.ts";
import { type Lane, run } from "./race.ts";
import type { Words } from "../words/en.ts";

const TOKENS = 96;

export function Compare() {
  const words = useWords();
  const all = useStore(models);
  const error = useStore(modelsError);
  const { model: chosen } = useStore(settings);
  const model = all.find(({ id }) => id === chosen) ?? all[0];
  useEffect(() => stopLoad, []);
  return (
    <div class="compare">
      <header class="page-head">
        <div>
          <h1>{words.compareTitle}</h1>
          <p class="muted">{words.compareLead}</p>
        </div>
      </header>
      {model === undefined
        ? error === null ? <p class="muted">{words.connecting}</p> : <Trouble failure={error} />
        : model.kumi.classes.length < 2
        ? <p class="notice">{words.oneClass}</p>
        : <Race model={model.id} classes={[model.kumi.classes[0], model.kumi.classes.at(-1)!]} />}
    </div>
  );
}

function Race({ model, classes }: { model: string; classes: readonly [string, string] }) {
  const words = useWords();
  const [prompt, setPrompt] = useState<string>(words.comparePrompt);
  const [lanes, setLanes] = useState<readonly Lane[]>([]);
  const abort = useRef<AbortController | null>(null);
  useEffect(() => () => abort.current?.abort(), []);
  const isRunning = lanes.some(({ isOver }) => !isOver);
  const start = (event: Event) => {
    event.preventDefault();
    abort.current = new AbortController();
    const { signal } = abort.current;
    const options = { prompt, model, maxTokens: TOKENS, seed: newSeed() };
    setLanes(classes.map((name) => ({ class: name, text: "", ms: 0, figures: {}, isOver: false })));
    classes.forEach((name, i) =>
      void run(
        options,
        name,
        (lane) => setLanes((before) => before.map((each, k) => k === i ? lane : each)),
        signal,
      )
    );
  };
  return (
    <>
      <form class="card race-form" onSubmit={start}>
        <label class="field">
          {words.prompt}
          <textarea rows={2} value={prompt} onInput={(event) => setPrompt(event.currentTarget.value)} />
        </label>
        <div class="row">
          {isRunning
            ? (
              <button type="button" class="main" onClick={() => abort.current?.abort()}>
                {words.stop}
              </button>
            )
            : <button type="submit" class="main" disabled={prompt.trim() === ""}>{words.compareStart}
            </button>}
          <Load latencyClass={classes[1]} />
        </div>
      </form>
      {lanes.length > 0 && <Outcome lanes={lanes} />}
      <div class="grid halves lanes">
        {lanes.map((lane, i) => (
          <LaneView
            key={lane.class}
            lane={lane}
            colour={i}
            longest={Math.max(...lanes.map(({ ms }) => ms))}
          />
        ))}
      </div>
    </>
  );
}

function Load({ latencyClass }: { latencyClass: string }) {
  const words = useWords();
  const since = useStore(loadSince);
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (since === null) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [since]);
  if (since === null) {
    return (
      <>
        <button type="button" class="plain-button" onClick={() => startLoad(latencyClass)}>
          <Icon name="chart" /> {words.makeLoad}
        </button>
        <span class="muted">{fill(words.loadHelp, { n: LOAD_ANSWERS, s: LOAD_MS / 1000 })}</span>
      </>
    );
  }
  const left = Math.max(0, Math.ceil((since + LOAD_MS - now) / 1000));
  return (
    <>
      <button type="button" class="plain-button" onClick={stopLoad}>
        <Icon name="stop" /> {words.stopLoad}
      </button>
      <span class="muted load-on" role="status">
        {fill(words.loadRuns, { n: LOAD_ANSWERS })}{" "}
        <span aria-hidden="true">{fill(words.loadLeft, { s: left })}</span>
      </span>
    </>
  );
}

function LaneView({ lane, colour, longest }: { lane: Lane; colour: number; longest: number }) {
  const words = useWords();
  const nameOf = useClassName();
  const { text, ms, firstMs, figures, isOver, error } = lane;
  const share = (part: number) => `${longest === 0 ? 0 : 100 * part / longest}%`;
  return (
    <section class="card lane" data-class={colour} aria-busy={!isOver}>
      <h2>{nameOf(lane.class)}</h2>
      <dl class="lane-figures">
        <div>
          <dt>{words.firstToken}</dt>
          <dd>{firstMs === undefined ? isOver ? "–" : "…" : duration(firstMs)}</dd>
        </div>
        <div>
          <dt>{words.wholeAnswer}</dt>
          <dd>{isOver ? duration(ms) : "…"}</dd>
        </div>
        <div>
          <dt>{words.tokensASecond}</dt>
          <dd>{figures.tokensPerSecond === undefined ? "…" : count(figures.tokensPerSecond)}</dd>
        </div>
      </dl>
      <div class="timeline" aria-hidden="true">
        <span class="wait" ref={(element) => element?.style.setProperty("width", share(firstMs ?? ms))} />
        <span
          class="write"
          ref={(element) =>
            element?.style.setProperty("width", share(firstMs === undefined ? 0 : ms - firstMs))}
        />
      </div>
      {error !== undefined && <Trouble failure={error} />}
      {text === "" && !isOver && <p class="muted">{words.waitsForTurn}</p>}
      <Markdown text={text} />
    </section>
  );
}

function Outcome({ lanes: [urgent, bulk] }: { lanes: readonly Lane[] }) {
  const words = useWords();
  const isOver = urgent.isOver && bulk.isOver;
  const sooner = urgent.firstMs === undefined || bulk.firstMs === undefined
    ? null
    : bulk.firstMs / urgent.firstMs;
  if (sooner === null) return <p class="outcome muted" role="status">{words.compareRuns}</p>;
  const isSame = urgent.text === bulk.text && urgent.text !== "";
  return (
    <p class="outcome" role="status">
      <strong>
        {verdict(sooner, isOver ? bulk.ms / urgent.ms : 1, words)}
      </strong>
      {isOver && (isSame
        ? (
          <span class="same">
            <Icon name="check" /> {words.sameBits}
          </span>
        )
        : <span class="muted">{words.notSame}</span>)}
    </p>
  );
}

/** From this factor on somebody notices. */
const NOTICED = 1.5;

function verdict(began: number, ended: number, words: Words): string {
  const factor = (value: number) => count(value, value < 10 ? 1 : 0);
  const parts = [
    ...began >= NOTICED ? [fill(words.sooner, { n: factor(began) })] : [],
    ...ended >= NOTICED ? [fill(words.doneSooner, { n: factor(ended) })] : [],
  ];
  return parts.length === 0 ? words.asSoon : parts.join(" ");
}
