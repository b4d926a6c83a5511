import type { Machine } from "../protocol/messages.ts";
import type { EngineOptions } from "../protocol/engine_options.ts";

/** Decides what each worker gets. Throws a RangeError for what the machine does not have. */
export type PlanWorkers = (
  wanted: Machine & { workers?: number; threads?: number; cpus?: readonly number[] },
) => readonly { cpus: readonly number[]; threads: number; numaNode?: number }[];

/** What each worker has of its own, as the pool asks for it once the first worker has told what the machine offers. */
export function layoutWorkers(
  options: { workers?: number; threads?: number; cpus?: readonly number[] },
  plan: PlanWorkers,
): (machine: Machine) => EngineOptions[] {
  return (machine) => {
    const { workers, threads, cpus } = options;
    const layout = plan({ ...machine, workers, threads, cpus });
    const [{ numaNode }] = layout;
    // One worker with the whole machine: then the engine itself knows best, also that a small model wants one thread.
    if (layout.length === 1 && cpus === undefined && numaNode === undefined) return [{ threads }];
    return layout.map((each) => ({ ...each, cpus: [...each.cpus] }));
  };
}
