/** Prometheus' text format, version 0.0.4. @module */

import type { HistogramFigures } from "../../protocol/histogram.ts";

/** The content type of {@linkcode MetricsText}. */
export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type MetricType = "counter" | "gauge" | "histogram";

/** Labels by name. */
export type Labels = Readonly<Record<string, string>>;

/**
 * Writes metrics: first `family()`, then its samples. A family that was named before goes on where it ended: the format
 * wants all samples of one together.
 */
export class MetricsText {
  #labels: Labels;
  #common: string;
  /** Lines by family. */
  readonly #families = new Map<string, string[]>();
  #lines: string[] = [];
  #name = "";

  /** `common`: labels of every sample. */
  constructor(common: Labels = {}) {
    this.#labels = common;
    this.#common = labelText(common);
  }

  /** Other labels for the samples that follow. */
  labelled(common: Labels): this {
    this.#labels = common;
    this.#common = labelText(common);
    return this;
  }

  family(name: string, type: MetricType, help: string): this {
    this.#name = name;
    this.#lines = this.#families.getOrInsertComputed(
      name,
      () => [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`],
    );
    return this;
  }

  /** Its own labels count before those of every sample. */
  sample(value: number, labels: Labels = {}): this {
    this.#line("", labelText({ ...this.#labels, ...labels }), value);
    return this;
  }

  histogram(figures: HistogramFigures, labels: Labels = {}): this {
    return this.histogramOf(labelText(labels), figures);
  }

  /** Like `sample()`, with labels as {@linkcode labelText} writes them. */
  sampleOf(labels: string, value: number): this {
    this.#write("", labels, value);
    return this;
  }

  /** Like `histogram()`, with labels as {@linkcode labelText} writes them. */
  histogramOf(labels: string, { bounds, counts, sum }: HistogramFigures): this {
    let below = 0;
    counts.forEach((count, i) => {
      below += count;
      this.#write("_bucket", join(labels, `le="${i < bounds.length ? bounds[i] : "+Inf"}"`), below);
    });
    this.#write("_sum", labels, sum);
    this.#write("_count", labels, below);
    return this;
  }

  toString(): string {
    return this.#families.values().toArray().flat().join("\n") + "\n";
  }

  #write(suffix: string, labels: string, value: number): void {
    this.#line(suffix, join(this.#common, labels), value);
  }

  #line(suffix: string, all: string, value: number): void {
    this.#lines.push(`${this.#name}${suffix}${all === "" ? "" : `{${all}}`} ${numberText(value)}`);
  }
}

/** Labels as they stand between the braces. */
export function labelText(labels: Labels): string {
  return Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",");
}

function join(a: string, b: string): string {
  return a === "" || b === "" ? a + b : `${a},${b}`;
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : `${value}`;
}

function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (c) => c === "\n" ? "\\n" : `\\${c}`);
}

function escapeHelp(text: string): string {
  return text.replace(/[\\\n]/g, (c) => c === "\n" ? "\\n" : "\\\\");
}
