/** What a kumi server says of itself in `/metrics`, looked at while it is under load. @module */

import { type PhaseWork, workBetween } from "../energy/attribution.ts";
import { TOKEN_BENDS } from "../protocol/token_time.ts";
import type { StepFit } from "./report_data.ts";
import { NO_FIGURES, type ServerFigures } from "./measures.ts";
import { mean as averageOf } from "./statistics.ts";

/** Samples of one scrape: all of a name, in the order of the text. */
export type Samples = ReadonlyMap<string, readonly number[]>;

/** A scrape, read. */
export interface Scrape {
  readonly samples: Samples;
  readonly work: readonly PhaseWork[];
}

/** Reads `/metrics`. */
export function parseScrape(text: string): Scrape {
  return { samples: parseSamples(text), work: parseWork(text) };
}

/** Reads Prometheus' text format as far as figures go: names and values. */
export function parseSamples(text: string): Samples {
  const samples = new Map<string, number[]>();
  for (const line of text.split("\n")) {
    const match = /^([A-Za-z_:][\w:]*)(?:\{.*\})? (\S+)(?: \d+)?$/.exec(line);
    if (match === null) continue;
    const value = Number(match[2]);
    if (Number.isNaN(value)) continue;
    const known = samples.get(match[1]);
    if (known === undefined) samples.set(match[1], [value]);
    else known.push(value);
  }
  return samples;
}

/** What the engine's steps were for since the server began, by class. */
export function parseWork(text: string): PhaseWork[] {
  const work = new Map<
    string,
    { prefillMs: number; decodeMs: number; prefillTokens: number; decodeTokens: number }
  >();
  for (
    const [, what, labels, value] of text.matchAll(/^kumi:phase_(seconds|tokens)_total\{(.*)\} (\S+)$/gm)
  ) {
    const name = /(?:^|,)class="([^"]*)"/.exec(labels)?.[1];
    const phase = /(?:^|,)phase="(prefill|decode)"/.exec(labels)?.[1] as "prefill" | "decode" | undefined;
    if (name === undefined || phase === undefined) continue;
    const own = work.get(name) ?? { prefillMs: 0, decodeMs: 0, prefillTokens: 0, decodeTokens: 0 };
    work.set(name, own);
    if (what === "seconds") own[`${phase}Ms`] += 1000 * Number(value);
    else own[`${phase}Tokens`] += Number(value);
  }
  return [...work].map(([name, own]) => ({ class: name, ...own }));
}

/** Over all workers; null where there is no such figure. */
function sum(samples: Samples, name: string): number | null {
  return samples.get(name)?.reduce((total, value) => total + value, 0) ?? null;
}

function mean(samples: Samples, name: string): number | null {
  const values = samples.get(name);
  return values === undefined ? null : averageOf(values);
}

/** The engine's model of a step, the mean of all workers; null of a server that has none. */
export function stepFitOf(samples: Samples): StepFit | null {
  const fixed = mean(samples, "kumi:step_fit_fixed_seconds");
  const tokens = samples.get("kumi:step_fit_seconds_per_token");
  if (fixed === null || tokens === undefined) return null;
  // Of each worker in turn, one for each stretch of tokens; the last has no end.
  const stretches = tokens.length / samples.get("kumi:step_fit_fixed_seconds")!.length;
  const perToken = Array.from(
    { length: stretches },
    (_, i) => 1000 * averageOf(tokens.filter((_, at) => at % stretches === i)),
  );
  return {
    fixedMs: 1000 * fixed,
    msPerToken: perToken.at(-1)!,
    bends: TOKEN_BENDS.slice(0, stretches - 1).map((upTo, i) => ({ upTo, msPerToken: perToken[i] })),
    msPerKvEntry: 1000 * (mean(samples, "kumi:step_fit_seconds_per_kv_entry") ?? 0),
    msPerRow: 1000 * (mean(samples, "kumi:step_fit_seconds_per_row") ?? 0),
    relativeError: mean(samples, "kumi:step_fit_error_ratio") ?? 0,
    stretch: mean(samples, "kumi:step_fit_stretch_ratio") ?? 1,
    betweenMs: 1000 * (mean(samples, "kumi:step_gap_seconds") ?? 0),
    betweenMsPerSequence: 1000 * (mean(samples, "kumi:step_gap_seconds_per_sequence") ?? 0),
    steps: sum(samples, "kumi:step_time_seconds_count") ?? 0,
  };
}

const LOOK_MS = 500;

/** Looks at a server now and then until it is told to end. */
export class FigureWatch {
  readonly #scrape: () => Promise<Scrape | null>;
  readonly #cpus: number;
  readonly #startedAt: number;
  readonly #looks: Samples[] = [];
  #first: Scrape | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> = Promise.resolve();
  #ended = false;

  private constructor(scrape: () => Promise<Scrape | null>, cpus: number) {
    this.#scrape = scrape;
    this.#cpus = cpus;
    this.#startedAt = performance.now();
  }

  /** `scrape` gives null where nothing answers; `cpus`: those that the server may use. */
  static async begin(scrape: () => Promise<Scrape | null>, cpus: number): Promise<FigureWatch> {
    const first = await scrape();
    const watch = new FigureWatch(scrape, cpus);
    watch.#first = first;
    if (first !== null) {
      watch.#looks.push(first.samples);
      watch.#next();
    }
    return watch;
  }

  #next(): void {
    this.#timer = setTimeout(() => {
      this.#looking = this.#scrape().then((scrape) => {
        if (scrape !== null) this.#looks.push(scrape.samples);
        if (!this.#ended) this.#next();
      });
    }, LOOK_MS);
  }

  /** The figures of all looks, and the step model of the last. */
  async end(): Promise<{ figures: ServerFigures; step: StepFit | null; work: readonly PhaseWork[] }> {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#looking;
    const last = this.#first === null ? null : await this.#scrape();
    if (this.#first === null || last === null) return { figures: NO_FIGURES, step: null, work: [] };
    this.#looks.push(last.samples);
    return {
      figures: figuresOf(this.#looks, seconds, this.#cpus),
      step: stepFitOf(last.samples),
      work: workBetween(this.#first.work, last.work),
    };
  }
}

/** Figures of several looks, the first and the last at the ends of so many seconds. */
export function figuresOf(looks: readonly Samples[], seconds: number, cpus: number): ServerFigures {
  const highest = (name: string) => {
    const values = looks.map((look) => sum(look, name)).filter((value) => value !== null);
    return values.length === 0 ? null : Math.max(...values);
  };
  const grown = (name: string) => {
    const [from, to] = [sum(looks[0], name), sum(looks[looks.length - 1], name)];
    return from === null || to === null ? null : to - from;
  };
  const cpuSeconds = grown("process_cpu_seconds_total");
  return {
    residentBytes: highest("process_resident_memory_bytes"),
    kv: fullest(looks),
    preemptions: grown("vllm:num_preemptions_total"),
    cpuShare: cpuSeconds === null || !(seconds > 0) ? null : cpuSeconds / seconds / cpus,
  };
}

/** The KV cache at the look at which sequences held most of it. */
function fullest(looks: readonly Samples[]): ServerFigures["kv"] {
  let best: ServerFigures["kv"] = null;
  for (const look of looks) {
    const [reserved, allocated, used] = ["reserved", "allocated", "used"]
      .map((what) => sum(look, `kumi:kv_${what}_bytes`));
    if (reserved === null || allocated === null || used === null) continue;
    // What only the prefix cache keeps is not held by any sequence.
    const cached = sum(look, "kumi:kv_cached_bytes") ?? 0;
    const [held, stored] = [allocated - cached, Math.max(0, used - cached)];
    if (best !== null && held <= best.allocatedBytes) continue;
    best = {
      reservedBytes: reserved,
      allocatedBytes: held,
      usedBytes: stored,
      waste: held > 0 ? Math.max(0, 1 - stored / held) : 0,
      maxLengthReservationBytes: sum(look, "kumi:kv_max_length_reservation_bytes") ?? 0,
    };
  }
  return best;
}
