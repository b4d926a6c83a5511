const CPUS_MAX = 8192;

/**
 * The CPUs of a list as the system and `taskset` write it: numbers and ranges, "0-3,8,10-11". Ascending, each
 * once. Throws RangeError naming the part that is wrong.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseCpuList } from "./cpu_list.ts";
 *
 * assertEquals(parseCpuList("8,0-2"), [0, 1, 2, 8]);
 * ```
 */
export function parseCpuList(text: string): number[] {
  const cpus = new Set<number>();
  for (const part of text.split(",")) {
    const [first, last] = parseRange(part.trim());
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

function parseRange(part: string): [first: number, last: number] {
  const bad = (why: string) => new RangeError(`A list of CPUs is like "0-3,8": ${why}`);
  if (part === "") throw bad("a part is empty");
  const match = /^(\d+)(?:-(\d+))?$/.exec(part);
  if (match === null) throw bad(`"${part}" is neither a number nor a range`);
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  if (last < first) throw bad(`"${part}" ends before it begins`);
  if (last >= CPUS_MAX) throw bad(`"${part}" has a number that is not below ${CPUS_MAX}`);
  return [first, last];
}

/** The shortest list that {@linkcode parseCpuList} reads as these CPUs; "" for none. */
export function formatCpuList(cpus: readonly number[]): string {
  const sorted = [...new Set(cpus)].sort((a, b) => a - b);
  const ranges: [number, number][] = [];
  for (const cpu of sorted) {
    const range = ranges.at(-1);
    if (range !== undefined && range[1] === cpu - 1) range[1] = cpu;
    else ranges.push([cpu, cpu]);
  }
  return ranges.map(([first, last]) => first === last ? `${first}` : `${first}-${last}`).join(",");
}
