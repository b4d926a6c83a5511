/** What the machine is doing, live, and the five minutes before. @module */

import { useEffect, useState } from "preact/hooks";
import type { FeedFrame, FeedHello } from "../../feed.ts";
import { useClassName } from "../chat/class_choice.tsx";
import { Trouble } from "../chat/trouble.tsx";
import { Icon } from "../core/icon.tsx";
import { useStore } from "../core/store.ts";
import { briefDuration, bytes, duration } from "../core/units.ts";
import { count, fill, useWords } from "../core/words.ts";
import { feed, type FeedState, followFeed, KEPT } from "./feed.ts";
import { KvMap } from "./kv_map.tsx";
import { type Line, Plot } from "./plot.tsx";
import { Queue } from "./queue.tsx";
import { cpuShare, energyUse, hitShare, latencies, tokenRates } from "./series.ts";
import { StepBar } from "./step_bar.tsx";
import { Upstreams } from "./upstreams.tsx";

/** What of the feed is shown: all of it, or what was there when the reader paused. */
function useShown(state: FeedState) {
  const [held, setHeld] = useState<readonly FeedFrame[] | null>(null);
  const [back, setBack] = useState(0);
  const all = held ?? state.frames;
  return {
    frames: all.slice(0, Math.max(1, all.length - back)),
    all: all.length,
    back,
    isHeld: held !== null,
    toggle: () => {
      setHeld(held === null ? state.frames : null);
      setBack(0);
    },
    lookBack: (to: number) => {
      setHeld(held ?? state.frames);
      setBack(to);
    },
  };
}

export function MachinePage() {
  const words = useWords();
  const state = useStore(feed);
  const shown = useShown(state);
  useEffect(() => {
    const abort = new AbortController();
    void followFeed(abort.signal);
    return () => abort.abort();
  }, []);
  const { hello, error } = state;
  const frame = shown.frames.at(-1);
  return (
    <div class="machine">
      <header class="page-head">
        <div>
          <h1>{words.machineTitle}</h1>
          {hello !== null && (
            <p class="muted">{hello.model} · {fill(words.machine, { isa: hello.isa, n: hello.threads })}</p>
          )}
        </div>
        <span class="space" />
        {frame !== undefined && <Controls shown={shown} frame={frame} />}
      </header>
      {error !== null && error.message !== "" && <Trouble failure={error} />}
      {hello === null || frame === undefined
        ? <p class="muted">{error === null ? words.connecting : ""}</p>
        : <Cards hello={hello} frames={shown.frames} frame={frame} />}
    </div>
  );
}

function Controls({ shown, frame }: { shown: ReturnType<typeof useShown>; frame: FeedFrame }) {
  const words = useWords();
  const time = new Date(frame.at).toLocaleTimeString();
  return (
    <div class="row controls">
      <span class={`live ${shown.isHeld ? "" : "on"}`} role="status">
        {shown.isHeld ? fill(words.asOf, { t: time }) : words.live}
      </span>
      <input
        type="range"
        min={0}
        max={Math.max(1, Math.min(KEPT, shown.all) - 1)}
        value={Math.max(0, shown.all - 1 - shown.back)}
        aria-label={words.lookBack}
        aria-valuetext={time}
        onInput={({ currentTarget: { value } }) => shown.lookBack(Math.max(0, shown.all - 1 - Number(value)))}
      />
      <button type="button" class="plain-button" onClick={shown.toggle}>
        <Icon name={shown.isHeld ? "play" : "pause"} /> {shown.isHeld ? words.resume : words.pause}
      </button>
    </div>
  );
}

interface CardsProps {
  readonly hello: FeedHello;
  readonly frames: readonly FeedFrame[];
  readonly frame: FeedFrame;
}

function Cards({ hello, frames, frame }: CardsProps) {
  const words = useWords();
  const classes = hello.classes.map(({ name }) => name);
  const waiting = frame.workers.flatMap(({ engine }) => engine?.waiting ?? [])
    .sort((a, b) => b.ageMs - a.ageMs);
  const total = frame.classes.reduce((sum, each) => sum + each.waiting, 0);
  return (
    <>
      <Tiles frames={frames} frame={frame} classes={classes} />
      <div class="grid thirds">
        <Throughput hello={hello} frames={frames} />
        <Latency hello={hello} frames={frames} kind="ttft" />
        <Latency hello={hello} frames={frames} kind="itl" />
      </div>
      <div class="grid halves">
        <section class="card">
          <h2>{words.step}</h2>
          {frame.workers.map(({ worker, engine }) =>
            engine === undefined ? null : (
              <div key={worker}>
                {frame.workers.length > 1 && <h3>{fill(words.workerN, { n: worker })}</h3>}
                <StepBar step={frame.pending === 0 ? null : engine.step} classes={classes} />
              </div>
            )
          )}
        </section>
        <section class="card">
          <h2>{words.queue}</h2>
          <Queue waiting={waiting} total={total} classes={classes} />
        </section>
      </div>
      <section class="card">
        <h2>{words.kv}</h2>
        {frame.workers.map(({ worker, engine }) =>
          engine === undefined ? null : <KvMap key={worker} kv={engine.kv} worker={worker} />
        )}
      </section>
      <Workers frame={frame} />
      {frame.upstreams !== undefined && <Upstreams upstreams={frame.upstreams} />}
    </>
  );
}

function Throughput({ hello, frames }: { hello: FeedHello; frames: readonly FeedFrame[] }) {
  const words = useWords();
  const nameOf = useClassName();
  const lines = hello.classes.map(({ name }, colour): Line => ({
    label: nameOf(name),
    colour,
    values: tokenRates(frames, name),
  }));
  return (
    <Plot
      title={words.throughput}
      times={timesOf(frames)}
      lines={lines}
      format={(value) => count(value)}
      summary={summaryOf(lines, (value) => count(value))}
    />
  );
}

/** Of those who wait for more than others: the worst in twenty, beside what was promised. */
const SHARE = 0.95;

function Latency(
  { hello, frames, kind }: { hello: FeedHello; frames: readonly FeedFrame[]; kind: "ttft" | "itl" },
) {
  const words = useWords();
  const nameOf = useClassName();
  const bounds = kind === "ttft" ? hello.ttftBounds : hello.itlBounds;
  const measured = hello.classes.map(({ name }, colour): Line => ({
    label: nameOf(name),
    colour,
    values: latencies(frames, name, kind, bounds, SHARE),
  }));
  const limits = hello.classes.flatMap(({ name, ttftSloMs, itlSloMs }, colour): Line[] => {
    const limit = kind === "ttft" ? ttftSloMs : itlSloMs;
    const label = fill(words.objective, { class: nameOf(name) });
    return limit === undefined ? [] : [{ label, colour, isLimit: true, values: frames.map(() => limit) }];
  });
  return (
    <Plot
      title={kind === "ttft" ? words.ttftTitle : words.itlTitle}
      times={timesOf(frames)}
      lines={[...measured, ...limits]}
      format={briefDuration}
      summary={summaryOf(measured, duration)}
    />
  );
}

const timesOf = (frames: readonly FeedFrame[]) => frames.map(({ at }) => at / 1000);

function summaryOf(lines: readonly Line[], format: (value: number) => string): string {
  return lines.map(({ label, values }) => {
    const value = values.at(-1);
    return `${label} ${value === null || value === undefined ? "–" : format(value)}`;
  }).join(", ");
}

function Tiles(
  { frames, frame, classes }: { frames: readonly FeedFrame[]; frame: FeedFrame; classes: readonly string[] },
) {
  const words = useWords();
  const rates = classes.map((name) => tokenRates(frames.slice(-2), name).at(-1) ?? 0);
  const sum = (read: (each: FeedFrame["classes"][number]) => number) =>
    frame.classes.reduce((total, each) => total + read(each), 0);
  const engines = frame.workers.flatMap(({ engine }) => engine ?? []);
  const hits = hitShare(frame), cpu = cpuShare(frames), energy = energyUse(frames);
  const used = engines.reduce((total, { kv }) => total + kv.allocatedBytes - kv.cachedBytes, 0);
  const reserved = engines.reduce((total, { kv }) => total + kv.reservedBytes, 0);
  const tiles: [name: string, value: string, key: string][] = [
    [words.tokensASecond, count(rates.reduce((total, each) => total + each, 0)), "throughput"],
    [words.running, count(sum(({ running }) => running)), "running"],
    [words.waiting, count(sum(({ waiting }) => waiting)), "waiting"],
    [words.refused, count(sum(({ refused }) => refused)), "refused"],
    [words.kvUsed, reserved === 0 ? "–" : `${count(100 * used / reserved)} %`, "kv"],
    [words.hits, hits === null ? "–" : `${count(100 * hits)} %`, "hits"],
    [
      words.preemptions,
      count(engines.reduce((total, { preemptions }) => total + preemptions, 0)),
      "preemptions",
    ],
    [words.cpu, cpu === null ? "–" : count(cpu, 2), "cpu"],
    [words.memory, bytes(frame.residentBytes), "memory"],
    [words.connections, frame.connections === undefined ? "–" : count(frame.connections), "connections"],
  ];
  if (energy !== null) {
    tiles.push([words.watts, `${count(energy.watts, 0)} W`, "watts"]);
    const { joulesPerToken } = energy;
    tiles.push([
      words.joulesPerToken,
      joulesPerToken === null ? "–" : `${count(joulesPerToken, 2)} J`,
      "joules",
    ]);
  }
  return (
    <dl class="tiles">
      {tiles.map(([name, value, key]) => (
        <div key={key} data-tile={key}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Workers({ frame }: { frame: FeedFrame }) {
  const words = useWords();
  return (
    <section class="card">
      <h2>{words.workers}</h2>
      <div class="scroll" tabIndex={0} role="group" aria-label={words.workers}>
        <table class="workers">
          <thead>
            <tr>
              {[words.worker, words.state, words.steps, words.lastStep, words.kvMemory, words.preemptions]
                .map((name) => <th key={name} scope="col">{name}</th>)}
            </tr>
          </thead>
          <tbody>
            {frame.workers.map(({ worker, state, engine }) => (
              <tr key={worker}>
                <td>{worker}</td>
                <td>{words.workerStates[state as keyof typeof words.workerStates] ?? state}</td>
                <td>{engine === undefined ? "–" : count(engine.steps)}</td>
                <td>{engine?.step ? duration(engine.step.ms) : "–"}</td>
                <td>{engine?.kv.committedBytes === undefined ? "–" : bytes(engine.kv.committedBytes)}</td>
                <td>{engine === undefined ? "–" : count(engine.preemptions)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="muted">{fill(words.restarts, { n: frame.restarts })}</p>
    </section>
  );
}
