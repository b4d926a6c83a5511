/** Ends a program with the processes that started it. @module */

/** What is known of a process. */
export interface ProcessEntry {
  readonly parent: number;
  /** Its process group. */
  readonly group: number;
}

/** The processes of a machine, as far as a program may see them. */
export interface Processes {
  readonly pid: number;
  /** The parent of this process now. */
  parent(): number;
  /** Of some processes; those that are not there, or may not be seen, are left out. */
  read(pids: readonly number[]): ReadonlyMap<number, ProcessEntry>;
}

/** How a watch looks. */
export interface ParentWatchOptions {
  readonly processes?: Processes;
  readonly intervalMs?: number;
}

const INTERVAL_MS = 1000;
/** No process is started through more. */
const CHAIN_MAX = 64;

/**
 * The processes through which this one was started, itself first: those of its process group (such as `npx`,
 * a shell, `deno task`) and the one that started the first of them. What the first of all processes started
 * nobody else did.
 */
export function startedThrough(processes: Processes): number[] {
  const chain = [processes.pid];
  const own = processes.read([processes.pid]).get(processes.pid);
  for (let next = processes.parent(); next > 1 && chain.length < CHAIN_MAX;) {
    chain.push(next);
    const entry = processes.read([next]).get(next);
    if (own === undefined || entry === undefined || entry.group !== own.group) break;
    next = entry.parent;
  }
  return chain;
}

/**
 * Whether each process of a chain still is the child of the next: the children of one that ends get another
 * parent.
 */
export function isWhole(chain: readonly number[], processes: Processes): boolean {
  if (chain.length < 2) return true;
  if (processes.parent() !== chain[1]) return false;
  if (chain.length === 2) return true;
  const entries = processes.read(chain.slice(1, -1));
  return chain.slice(1, -1).every((pid, i) => entries.get(pid)?.parent === chain[i + 2]);
}

/**
 * Calls `onGone` once, after a process through which this one was started has ended. Keeps no program from
 * ending.
 */
export class ParentWatch implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(onGone: () => void, options: ParentWatchOptions = {}) {
    const { processes = systemProcesses(), intervalMs = INTERVAL_MS } = options;
    const chain = startedThrough(processes);
    this.#timer = setInterval(() => {
      if (isWhole(chain, processes)) return;
      clearInterval(this.#timer);
      onGone();
    }, intervalMs);
    Deno.unrefTimer(this.#timer);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/**
 * The processes of this machine. Deno lets only programs that may do everything see more of them than the own
 * parent.
 */
export function systemProcesses(os = Deno.build.os): Processes {
  const read = os === "linux" || os === "android" ? readProc : readPs;
  return {
    pid: Deno.pid,
    parent: () => Deno.ppid,
    read: (pids) => {
      try {
        return read(pids);
      } catch (error) {
        if (error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.NotFound) {
          return new Map();
        }
        throw error;
      }
    },
  };
}

function readProc(pids: readonly number[]): Map<number, ProcessEntry> {
  const entries = new Map<number, ProcessEntry>();
  for (const pid of pids) {
    let stat: string;
    try {
      stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    } catch (error) {
      // It ended before, or while it was read.
      if (error instanceof Deno.errors.NotCapable) throw error;
      continue;
    }
    // "pid (name) state parent group …": a name may hold anything, blanks and brackets, too.
    const [, parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    entries.set(pid, { parent: Number(parent), group: Number(group) });
  }
  return entries;
}

/** Where there is no /proc. */
function readPs(pids: readonly number[]): Map<number, ProcessEntry> {
  const args = ["-o", "pid=,ppid=,pgid=", "-p", pids.join(",")];
  const { stdout } = new Deno.Command("ps", { args, stdin: "null", stderr: "null" }).outputSync();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  const rows = lines.map((line) => line.trim().split(/\s+/).map(Number)).filter((row) => row.length === 3);
  return new Map(rows.map(([pid, parent, group]) => [pid, { parent, group }]));
}
