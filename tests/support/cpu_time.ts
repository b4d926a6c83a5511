import process from "node:process";

interface ThreadClock {
  threadCpuUsage?: () => { user: number; system: number };
}

/**
 * Milliseconds of CPU time that this thread has used, so that a bound on how long something takes holds on a
 * machine that is busy with other things. Wall time where the runtime cannot tell.
 */
export function cpuMs(): number {
  const usage = (process as ThreadClock).threadCpuUsage?.();
  return usage === undefined ? performance.now() : (usage.user + usage.system) / 1000;
}
