/** What a trial knows of energy beside what each run counted. @module */

import type { EnergyCounter } from "../../energy/counter.ts";
import type { EnergyProblem, MeasuredEnergy } from "../../energy/joules.ts";
import { meteredEnergy, type MeterReading, readMeter } from "../../energy/meter.ts";
import { tableTdp } from "../../energy/tdp.ts";
import { delay } from "../../process/delay.ts";
import { wallClock } from "../../protocol/clock.ts";
import type { ReportParts } from "../../trial/assemble.ts";
import type { TrialMachine } from "../../trial/report_data.ts";
import type { TrialOutcome } from "../../trial/trial.ts";
import { readNamed } from "../named_file.ts";
import type { TrialWish } from "./options.ts";

/** A meter's next reading is waited for so long, and looked for so often. */
const METER_MS_MAX = 15_000, METER_POLL_MS = 250;

/** What the meter has written meanwhile, with its next reading after the load's end where that is to come yet. */
async function readingsUntil(endMs: number, path: string, signal: AbortSignal): Promise<MeterReading[]> {
  while (true) {
    const readings = readMeter(await readNamed(path, "meter"));
    if (readings[readings.length - 1].atMs >= endMs || wallClock() > endMs + METER_MS_MAX) return readings;
    await delay(METER_POLL_MS, signal);
  }
}

/** What is known of energy beside what each run counted. */
export async function energyParts(
  { meter, tdpWatts }: TrialWish,
  { processor, usableCpus }: TrialMachine,
  { result, sounding }: TrialOutcome,
  counter: EnergyCounter | EnergyProblem,
  signal: AbortSignal,
): Promise<Pick<ReportParts, "metered" | "tdp" | "notMeasuredBecause">> {
  let because = "reason" in counter ? counter.reason : null;
  let metered: MeasuredEnergy | null = null;
  if (meter !== null && result !== null) {
    try {
      const readings = await readingsUntil(result.window.toMs, meter, signal);
      const idle = meteredEnergy(readings, { ...sounding.idleWindow, idleWatts: null });
      const idleWatts = idle.kind === "measured" ? idle.meanWatts : null;
      const found = meteredEnergy(readings, { ...result.window, idleWatts });
      if (found.kind === "measured") metered = found;
      else because = found.reason;
    } catch (error) {
      signal.throwIfAborted();
      // All else was measured: the report says what is wrong with the meter.
      because = (error as Error).message;
    }
  }
  const table = tableTdp(processor ?? undefined, usableCpus);
  const tdp = tdpWatts !== null ? { watts: tdpWatts, from: "given" } : "watts" in table ? table : null;
  return { metered, tdp, notMeasuredBecause: because };
}
