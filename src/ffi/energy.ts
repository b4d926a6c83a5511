/** The machine's energy counters as the library reads them: Deno lets nobody read them without every permission. @module */

import { asBuffer } from "./buffers.ts";
import { check } from "./errors.ts";
import { Library } from "./library.ts";

/** Why a figure cannot be read. */
export type Unreadable = "denied" | "absent" | "error";

/** A zone of powercap. */
export interface PowercapZone {
  /** Its folder, such as "intel-rapl:0:1": a part of the zone "intel-rapl:0". */
  readonly zone: string;
  /** Such as "package-0", "dram", "core", "uncore", "psys". */
  readonly name: string;
  /** Microjoules since some time. */
  readonly energyUj: number | Unreadable;
  /** The counter begins at 0 again above this. */
  readonly rangeUj: number | Unreadable;
}

/** An event of the power PMU that is counted. */
export interface OpenEnergyEvent {
  /** "energy-pkg" or "energy-ram". */
  readonly name: string;
  /** A CPU of the package whose energy it is. */
  readonly cpu: number;
  readonly id: number;
  readonly joulesPerCount: number;
}

/** An event, or why it cannot be counted. */
export type EnergyEvent = OpenEnergyEvent | { readonly name: string; readonly problem: Unreadable };

export const POWERCAP_ROOT = "/sys/class/powercap";
export const POWER_PMU_ROOT = "/sys/bus/event_source/devices/power";

const ROOM_BYTES = 64 * 1024;
const encoder = new TextEncoder();

function linesOf(op: string, read: (out: Uint8Array<ArrayBuffer>) => number): string[][] {
  const out = new Uint8Array(ROOM_BYTES);
  const length = check(read(out), op);
  const text = new TextDecoder().decode(out.subarray(0, length));
  return text.split("\n").filter((line) => line !== "").map((line) => line.split("\t"));
}

function figure(text: string): number | Unreadable {
  return text.startsWith("!") ? text.slice(1) as Unreadable : Number(text);
}

/** All zones of powercap that count energy, as they stand now; none where the system has none. */
export function powercapZones(root: string = POWERCAP_ROOT, libraryPath?: string): PowercapZone[] {
  const path = encoder.encode(root);
  const library = Library.acquire(libraryPath);
  try {
    const lines = linesOf(
      "read the energy counters",
      (out) => library.symbols.kumi_energy_zones(path, path.length, out, out.length),
    );
    return lines.map(([zone, name, energy, range]) => ({
      zone,
      name,
      energyUj: figure(energy),
      rangeUj: figure(range),
    }));
  } finally {
    library.release();
  }
}

/** Counters of the power PMU that are open until disposed. */
export class EnergyEvents implements Disposable {
  readonly events: readonly EnergyEvent[];
  readonly #library: Library;
  #isOpen = true;

  /** Opens what the system lets this process open. */
  constructor(root: string = POWER_PMU_ROOT, libraryPath?: string) {
    const path = encoder.encode(root);
    this.#library = Library.acquire(libraryPath);
    try {
      this.events = linesOf(
        "open the energy counters",
        (out) => this.#library.symbols.kumi_energy_events_open(path, path.length, out, out.length),
      ).map(([name, cpu, id, scale]) => {
        const value = figure(id);
        if (typeof value === "string") return { name, problem: value };
        return { name, cpu: Number(cpu), id: value, joulesPerCount: Number(scale) };
      });
    } catch (error) {
      this.#library.release();
      throw error;
    }
  }

  /** Joules of an event since it was opened. Throws a KernelError where it cannot be read. */
  joules(event: OpenEnergyEvent): number {
    const out = new Float64Array(1);
    check(
      this.#library.symbols.kumi_energy_event_read(event.id, asBuffer(out), out.byteLength),
      "read an energy counter",
    );
    return out[0] * event.joulesPerCount;
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const event of this.events) {
      if ("id" in event) check(this.#library.symbols.kumi_destroy(event.id), "destroy");
    }
    this.#library.release();
  }
}
