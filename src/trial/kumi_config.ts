/** `kumi.config.json`: what `kumi serve --config` reads. @module */

import type { LatencyClass } from "../../scheduler/mod.ts";
import { isPatient } from "./objectives.ts";
import type { PointSettings, TrialObjectives } from "./report_data.ts";

/** Requests of a class that may wait, and tokens of their prompts: as kumi's own classes. */
const WAITING = {
  interactive: { requests: 256, tokens: 262_144 },
  patient: { requests: 8192, tokens: 16_777_216 },
};

/** The latency classes that objectives mean at a point. */
export function classesOf({ classes }: TrialObjectives, settings: PointSettings): LatencyClass[] {
  return classes.map((each, i) => {
    const patient = isPatient(each);
    return {
      name: each.class,
      priority: patient ? 0 : 10 + classes.length - i,
      maxBatch: settings.sequencesMax,
      maxWaitMs: patient ? settings.maxWaitMs : 0,
      ...each.ttftMs === null ? {} : { ttftSloMs: each.ttftMs },
      ...each.itlMs === null ? {} : { itlSloMs: each.itlMs },
      queueLimit: patient ? WAITING.patient : WAITING.interactive,
      preemptible: patient,
    };
  });
}

/** The contents of the file, by the names of `kumi serve --print-schema`. */
export function kumiConfig(
  model: string,
  settings: PointSettings,
  objectives: TrialObjectives,
): Record<string, unknown> {
  const { workers, threads, cpus, sequencesMax, batchTokens, kvFormat, kvTokens, prefixCache } = settings;
  return {
    model,
    workers,
    threads,
    ...cpus === null ? {} : { cpus },
    sequencesMax,
    batchTokens,
    kv: kvFormat,
    kvTokens,
    ...prefixCache ? {} : { noPrefixCache: true },
    classes: classesOf(objectives, settings),
  };
}
