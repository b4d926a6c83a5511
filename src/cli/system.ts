/** What the machine offers this process. @module */

/** Bytes this process may still use: the smaller of the machine's available memory and the cgroup's headroom. */
export function availableMemoryBytes(): number {
  const machine = Deno.systemMemoryInfo().available;
  const limit = readNumber("/sys/fs/cgroup/memory.max");
  const used = readNumber("/sys/fs/cgroup/memory.current");
  if (limit === undefined || used === undefined) return machine;
  return Math.min(machine, Math.max(0, limit - used));
}

/** "AMD EPYC (2 cores)", as far as the system tells. */
export function processorName(): string {
  const cores = navigator.hardwareConcurrency;
  try {
    const info = Deno.readTextFileSync("/proc/cpuinfo");
    const name = /^(?:model name|Model)\s*:\s*(.+)$/m.exec(info)?.[1];
    return `${name ?? Deno.build.arch} (${cores} cores)`;
  } catch {
    return `${Deno.build.arch} (${cores} cores)`;
  }
}

function readNumber(path: string): number | undefined {
  try {
    const text = Deno.readTextFileSync(path).trim();
    return text === "max" || text === "" ? undefined : Number(text);
  } catch {
    return undefined; // no cgroup v2 here, or not readable: the machine's figure stands
  }
}
