/** Counters inside the machine, opened, followed and read. @module */

import {
  EnergyEvents,
  type OpenEnergyEvent,
  POWER_PMU_ROOT,
  POWERCAP_ROOT,
  type PowercapZone,
  powercapZones,
} from "../ffi/energy.ts";
import { countedEnergy, type EnergyProblem, type EnergySourceName, type MeasuredEnergy } from "./joules.ts";
import { chooseZones, ZoneSum } from "./powercap.ts";

/** Counts Joules from when it was opened. */
export interface EnergyCounter extends Disposable {
  readonly source: EnergySourceName;
  readonly domains: readonly string[];
  /** So far. Throws an Error where the counters cannot be read any more. */
  joules(): number;
}

/** Where the counters are; for tests. */
export interface CounterPlaces {
  readonly powercapRoot?: string;
  readonly pmuRoot?: string;
  readonly libraryPath?: string;
  /** How the zones of powercap are read; default: by the library. */
  readonly readZones?: () => PowercapZone[];
}

/** A counter of 32 bits of 15.3 µJ at 1,000 W begins again after a minute. */
const SAMPLE_MS = 10_000;

/**
 * Opens what counts energy here: powercap, or, where that is closed, the events of the power PMU. A problem
 * says why there is neither.
 */
export function openEnergyCounter(places: CounterPlaces = {}): EnergyCounter | EnergyProblem {
  const { powercapRoot = POWERCAP_ROOT, pmuRoot = POWER_PMU_ROOT, libraryPath } = places;
  const readZones = places.readZones ?? (() => powercapZones(powercapRoot, libraryPath));
  const choice = chooseZones(readZones());
  if ("zones" in choice) return new PowercapCounter(choice.zones, readZones);
  const events = new EnergyEvents(pmuRoot, libraryPath);
  const open = events.events.filter((event) => "id" in event);
  // Packages alone may be all there is; DRAM alone is not what is asked for.
  if (open.some(({ name }) => name === "energy-pkg")) return new EventCounter(events, open);
  const isDenied = events.events.some((event) => "problem" in event && event.problem === "denied");
  events[Symbol.dispose]();
  return { kind: "none", reason: isDenied ? `${choice.reason}; ${PERF_DENIED}` : choice.reason };
}

const PERF_DENIED =
  "the system's energy events are closed, too: sudo sysctl kernel.perf_event_paranoid=0, or " +
  "give the program CAP_PERFMON";

class PowercapCounter implements EnergyCounter {
  readonly source = "rapl";
  readonly domains: readonly string[];
  readonly #sum: ZoneSum;
  readonly #read: () => PowercapZone[];
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(
    zones: readonly { readonly zone: string; readonly domain: string; readonly rangeUj: number }[],
    read: () => PowercapZone[],
  ) {
    this.domains = zones.map(({ domain }) => domain);
    this.#sum = new ZoneSum(zones);
    this.#read = read;
    this.#sum.add(read());
    this.#timer = setInterval(() => {
      try {
        this.#sum.add(read());
      } catch {
        // Whoever asks for the sum is told.
        clearInterval(this.#timer);
      }
    }, SAMPLE_MS);
    Deno.unrefTimer(this.#timer);
  }

  joules(): number {
    this.#sum.add(this.#read());
    return this.#sum.joules;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

class EventCounter implements EnergyCounter {
  readonly source = "perf";
  readonly domains: readonly string[];
  readonly #events: EnergyEvents;
  readonly #open: readonly OpenEnergyEvent[];

  constructor(
    events: EnergyEvents,
    open: readonly OpenEnergyEvent[],
  ) {
    this.#events = events;
    this.#open = open;
    this.domains = open.map(({ name, cpu }) => `${name === "energy-pkg" ? "package" : "dram"}-of-cpu-${cpu}`);
  }

  joules(): number {
    return this.#open.reduce((sum, event) => sum + this.#events.joules(event), 0);
  }

  [Symbol.dispose](): void {
    this.#events[Symbol.dispose]();
  }
}

/** Ms that only go forward. */
const monotonic = () => performance.now();

/** Counts from now on, until `stop` tells of it. */
export interface EnergyWindow {
  /** Throws an Error where the counters cannot be read any more. */
  stop(): MeasuredEnergy;
}

/** Begins a window of a counter. `idleWatts`: of {@linkcode measureIdleWatts}, if it was measured. */
export function startWindow(
  counter: EnergyCounter,
  { idleWatts = null, now = monotonic }: { idleWatts?: number | null; now?: () => number } = {},
): EnergyWindow {
  const joulesBefore = counter.joules(), startedAt = now();
  return {
    stop() {
      const seconds = (now() - startedAt) / 1000;
      const { source, domains } = counter;
      return countedEnergy({ source, domains, seconds, joules: counter.joules() - joulesBefore, idleWatts });
    },
  };
}

/** What the machine takes while it has nothing to do, for `ms`. */
export async function measureIdleWatts(counter: EnergyCounter, ms: number): Promise<number> {
  const window = startWindow(counter);
  await new Promise((resolve) => setTimeout(resolve, ms));
  return window.stop().meanWatts;
}
