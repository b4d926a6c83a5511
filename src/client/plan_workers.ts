import { formatCpuList } from "../ffi/cpu_list.ts";

/** A memory node: what planning needs of {@linkcode MachineInfo.nodes}. */
export interface PlanNode {
  readonly id: number;
  readonly cpus: readonly number[];
  /** 0: the node has no memory of its own. */
  readonly memoryBytes?: number;
}

/** What {@linkcode planWorkers} divides. */
export interface PlanOptions {
  readonly nodes: readonly PlanNode[];
  /** Threads that the control group's quota allows in all; default: the CPUs. */
  readonly usable?: number;
  /** Default: one for each node that has CPUs. */
  readonly workers?: number;
  /** Threads of each worker; default: its CPUs, or its share of `usable` where that is less. */
  readonly threads?: number;
  /** Only these; default: all of the nodes'. */
  readonly cpus?: readonly number[];
}

/** Where one engine worker runs. */
export interface WorkerPlan {
  readonly cpus: readonly number[];
  readonly threads: number;
  /** Where its memory should be; undefined where there is no choice. */
  readonly numaNode?: number;
}

/**
 * Divides the CPUs among engine workers, in the nodes' order: no CPU to two workers, and no worker over two nodes as long as
 * there are as many workers as nodes. Within a node the workers get runs of CPUs as equal as possible. Throws RangeError for
 * CPUs that no node has, for numbers below 1 and for more workers than CPUs.
 */
export function planWorkers(options: PlanOptions): WorkerPlan[] {
  const { threads } = options;
  const nodes = restrict(options);
  const cpuCount = nodes.reduce((sum, { cpus }) => sum + cpus.length, 0);
  const usable = Math.min(positive("usable", options.usable ?? cpuCount), cpuCount);
  // A quota below the number of nodes leaves some of them out, the smallest first.
  const workers = positive("workers", options.workers ?? Math.min(nodes.length, usable));
  if (workers > cpuCount) {
    throw new RangeError(`There are ${cpuCount} CPUs for ${workers} workers: each needs one of its own`);
  }
  if (threads !== undefined) positive("threads", threads);
  const used = options.workers === undefined ? largest(nodes, workers) : nodes;
  const shares = workers >= used.length ? splitNodes(used, workers) : joinNodes(used, workers);
  const hasChoice = options.nodes.filter(({ memoryBytes }) => memoryBytes !== 0).length > 1;
  const quotas = divide(usable, shares.map(({ cpus }) => cpus.length));
  return shares.map(({ cpus, node }, i) => ({
    cpus,
    threads: threads ?? quotas[i],
    ...(hasChoice && node !== undefined && node.memoryBytes !== 0 ? { numaNode: node.id } : {}),
  }));
}

interface Share {
  cpus: readonly number[];
  /** Undefined where it has CPUs of several. */
  node?: PlanNode;
}

function positive(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new RangeError(`Option "${name}" must be a whole number from 1, current value is ${value}`);
}

/** The nodes with the CPUs that may be used, those without any left out. */
function restrict({ nodes, cpus }: PlanOptions): PlanNode[] {
  const known = new Set(nodes.flatMap((node) => node.cpus));
  const absent = cpus?.filter((cpu) => !known.has(cpu)) ?? [];
  if (absent.length > 0) {
    throw new RangeError(
      `CPUs ${formatCpuList(absent)} do not exist or may not be used: there are ${formatCpuList([...known])}`,
    );
  }
  const wanted = new Set(cpus ?? known);
  const restricted = nodes
    .map((node) => ({ ...node, cpus: node.cpus.filter((cpu) => wanted.has(cpu)).sort((a, b) => a - b) }))
    .filter((node) => node.cpus.length > 0);
  if (restricted.length === 0) throw new RangeError("There is no CPU to run a worker on");
  return restricted;
}

/** So many nodes with the most CPUs, in their own order. */
function largest(nodes: readonly PlanNode[], count: number): readonly PlanNode[] {
  const chosen = new Set(nodes.toSorted((a, b) => b.cpus.length - a.cpus.length).slice(0, count));
  return nodes.filter((node) => chosen.has(node));
}

/** At least one worker for each node; each further one goes where a worker has the most CPUs. */
function splitNodes(nodes: readonly PlanNode[], workers: number): Share[] {
  const counts = nodes.map(() => 1);
  for (let rest = workers - nodes.length; rest > 0; rest--) {
    const ratios = nodes.map(({ cpus }, i) => cpus.length / counts[i]);
    counts[ratios.indexOf(Math.max(...ratios))]++;
  }
  return nodes.flatMap((node, i) => runs(node.cpus, counts[i]).map((cpus) => ({ cpus, node })));
}

/** Fewer workers than nodes: neighbouring nodes together. */
function joinNodes(nodes: readonly PlanNode[], workers: number): Share[] {
  return runs(nodes, workers).map((group) => ({
    cpus: group.flatMap(({ cpus }) => cpus),
    node: group.length === 1 ? group[0] : undefined,
  }));
}

/** Cuts a list into `count` runs whose lengths differ by one at most, longer ones first. */
function runs<T>(items: readonly T[], count: number): T[][] {
  const lengths = Array.from({ length: count }, (_, i) => Math.ceil((items.length - i) / count));
  let first = 0;
  return lengths.map((length) => items.slice(first, first += length));
}

/** Hands out up to `total` threads in turn, at least one each and at most `limits`. */
function divide(total: number, limits: readonly number[]): number[] {
  const shares = limits.map(() => 1);
  let rest = total - limits.length;
  while (rest > 0 && shares.some((share, i) => share < limits[i])) {
    for (let i = 0; i < limits.length && rest > 0; i++) {
      if (shares[i] === limits[i]) continue;
      shares[i]++;
      rest--;
    }
  }
  return shares;
}
