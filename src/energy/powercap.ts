/** Which zones of powercap may be added up, and how their counters are followed. @module */

import type { PowercapZone } from "../ffi/energy.ts";

/** A zone that counts. */
export interface CountedZone {
  readonly zone: string;
  /** "package-0", "dram-0". */
  readonly domain: string;
  readonly rangeUj: number;
}

const PACKAGE = /^package-\d+(-die-\d+)?$/;
const CHMOD = "sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj";

/** Why powercap cannot be used, with what to do. */
export const POWERCAP_REASONS = {
  none:
    "this system has no RAPL counters in /sys/class/powercap: virtual machines and containers mostly have " +
    "none; on the machine itself, sudo modprobe intel_rapl_msr may bring them (AMD's, too)",
  denied:
    `the RAPL counters may only be read by root, since they tell others' secrets (CVE-2020-8694): ${CHMOD}, ` +
    "until the next start of the machine; or run kumi as root; in a container, mount /sys/class/powercap and /sys/devices " +
    "for reading and do that outside",
  broken: "the RAPL counters cannot be read",
} as const;

/** The zones to add up, or why there are none. */
export type ZoneChoice = { readonly zones: readonly CountedZone[] } | { readonly reason: string };

/**
 * Packages, and the DRAM that is not in them. `core` and `uncore` lie inside their package, `psys` contains
 * the package, and what is counted through memory (`intel-rapl-mmio`) is a package that `intel-rapl` counts,
 * too: all of these would be counted twice. Processors of AMD mostly have no DRAM zone: then there is none.
 */
export function chooseZones(all: readonly PowercapZone[]): ZoneChoice {
  const packages = new Map<string, PowercapZone>();
  // Zones of intel-rapl come before those of intel-rapl-mmio.
  for (const zone of all) {
    if (!PACKAGE.test(zone.name)) continue;
    const known = packages.get(zone.name);
    if (known === undefined || (isReadable(zone) && !isReadable(known))) packages.set(zone.name, zone);
  }
  if (packages.size === 0) return { reason: POWERCAP_REASONS.none };
  const chosen = [...packages.values()].flatMap((each) => {
    const number = each.name.slice("package-".length);
    const drams = all.filter(({ zone, name }) => name === "dram" && zone.startsWith(`${each.zone}:`));
    return [{ zone: each, domain: each.name }, ...drams.map((zone) => ({ zone, domain: `dram-${number}` }))];
  });
  const bad = chosen.find(({ zone }) => !isReadable(zone));
  if (bad !== undefined) {
    const { energyUj, rangeUj, zone, name } = bad.zone;
    if (energyUj === "denied" || rangeUj === "denied") return { reason: POWERCAP_REASONS.denied };
    return { reason: `${POWERCAP_REASONS.broken}: ${zone} (${name}) has no numbers` };
  }
  return {
    zones: chosen.map(({ zone: { zone, rangeUj }, domain }) => ({
      zone,
      domain,
      rangeUj: rangeUj as number,
    })),
  };
}

function isReadable({ energyUj, rangeUj }: PowercapZone): boolean {
  return typeof energyUj === "number" && typeof rangeUj === "number" && rangeUj > 0;
}

/**
 * Adds up what zones count. A counter that is less than before has begun again once: whoever samples must do
 * so more often than that can happen twice (the counters of a server last some minutes).
 */
export class ZoneSum {
  readonly #zones: readonly CountedZone[];
  readonly #last = new Map<string, number>();
  readonly #joules = new Map<string, number>();

  constructor(zones: readonly CountedZone[]) {
    this.#zones = zones;
  }

  /** Takes how the zones stand now. Throws an Error where one cannot be read any more. */
  add(now: readonly PowercapZone[]): void {
    for (const { zone, domain, rangeUj } of this.#zones) {
      const energyUj = now.find((each) => each.zone === zone)?.energyUj;
      if (typeof energyUj !== "number") {
        throw new Error(`The counter ${zone} (${domain}) cannot be read any more`);
      }
      const last = this.#last.get(zone);
      this.#last.set(zone, energyUj);
      if (last === undefined) continue;
      const addedUj = energyUj >= last ? energyUj - last : energyUj + rangeUj - last;
      this.#joules.set(domain, (this.#joules.get(domain) ?? 0) + addedUj / 1e6);
    }
  }

  /** Since the first sample. */
  get joules(): number {
    return this.#joules.values().reduce((sum, each) => sum + each, 0);
  }
}
