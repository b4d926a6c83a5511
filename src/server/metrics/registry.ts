/**
 * Counters and histograms of this process. prom-client 15.1.3 was measured in their place: it counts a token
 * in 0.35 µs instead of 0.01, writes a scrape in 0.57 ms instead of 0.15, takes 55 ms and 22 MB to load, and
 * cannot take over what workers counted.
 * @module
 */

import { Histogram } from "../../protocol/histogram.ts";
import { labelText, type MetricsText } from "./exposition.ts";

/** A value that only grows. */
export class Counter {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  add(amount = 1): void {
    this.#value += amount;
  }
}

/**
 * Members of a metric by their labels: keep a member that is used often, finding it takes longer than using
 * it.
 */
export class Family<T> {
  readonly name: string;
  readonly #type: "counter" | "histogram";
  readonly #help: string;
  readonly #labelNames: readonly string[];
  readonly #create: () => T;
  readonly #write: (text: MetricsText, labels: string, member: T) => void;
  readonly #members = new Map<string, T>();

  constructor(parts: {
    name: string;
    type: "counter" | "histogram";
    help: string;
    labelNames: readonly string[];
    create: () => T;
    write: (text: MetricsText, labels: string, member: T) => void;
  }) {
    this.name = parts.name;
    this.#type = parts.type;
    this.#help = parts.help;
    this.#labelNames = parts.labelNames;
    this.#create = parts.create;
    this.#write = parts.write;
    if (parts.labelNames.length === 0) this.of();
  }

  /** The member with these labels, in the order of their names; made when it is first asked for. */
  of(...values: string[]): T {
    if (values.length !== this.#labelNames.length) {
      throw new RangeError(
        `${this.name} has the labels ${this.#labelNames.join(", ")}, got ${values.length}`,
      );
    }
    const key = labelText(Object.fromEntries(this.#labelNames.map((name, i) => [name, values[i]])));
    let member = this.#members.get(key);
    if (member === undefined) this.#members.set(key, member = this.#create());
    return member;
  }

  write(text: MetricsText): void {
    if (this.#members.size === 0) return;
    text.family(this.name, this.#type, this.#help);
    for (const [labels, member] of this.#members) this.#write(text, labels, member);
  }
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** The metrics that this process keeps itself. */
export class Registry {
  readonly #families = new Map<string, { write(text: MetricsText): void }>();

  counter(name: string, help: string, labelNames: readonly string[] = []): Family<Counter> {
    return this.#add(
      new Family({
        name,
        type: "counter",
        help,
        labelNames,
        create: () => new Counter(),
        write: (text, labels, member) => text.sampleOf(labels, member.value),
      }),
      labelNames,
    );
  }

  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    labelNames: readonly string[] = [],
  ): Family<Histogram> {
    return this.#add(
      new Family({
        name,
        type: "histogram",
        help,
        labelNames,
        create: () => new Histogram(bounds),
        write: (text, labels, member) => text.histogramOf(labels, member.figures()),
      }),
      labelNames,
    );
  }

  write(text: MetricsText): void {
    for (const family of this.#families.values()) family.write(text);
  }

  #add<T>(family: Family<T>, labelNames: readonly string[]): Family<T> {
    const bad = NAME.test(family.name)
      ? labelNames.find((name) => !LABEL.test(name) || name === "le")
      : family.name;
    if (bad !== undefined) throw new RangeError(`${bad} cannot name a metric or a label`);
    if (this.#families.has(family.name)) throw new RangeError(`Two metrics are called ${family.name}`);
    this.#families.set(family.name, family);
    return family;
  }
}
