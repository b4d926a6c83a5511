/** A control group of this process's own whose CPU quota can be changed. @module */

const PERIOD_US = 100_000;
const V1 = "/sys/fs/cgroup/cpu", V2 = "/sys/fs/cgroup";

/** The group that this process is in until it ends. Linux, as root, versions 1 and 2 of control groups. */
export class CpuQuota implements Disposable {
  readonly #parent: string;
  readonly #folder: string;
  readonly #isV2: boolean;

  private constructor(parent: string, isV2: boolean) {
    this.#parent = parent;
    this.#isV2 = isV2;
    this.#folder = `${parent}/kumi-quota-${Deno.pid}`;
    Deno.mkdirSync(this.#folder);
    Deno.writeTextFileSync(`${this.#folder}/cgroup.procs`, `${Deno.pid}`);
  }

  /** Makes the group and enters it. Throws an Error that says what it takes. */
  static enter(): CpuQuota {
    try {
      const isV2 = exists(`${V2}/cgroup.subtree_control`);
      if (isV2) Deno.writeTextFileSync(`${V2}/cgroup.subtree_control`, "+cpu");
      return new CpuQuota(isV2 ? V2 : V1, isV2);
    } catch (error) {
      throw new Error("A control group of its own needs Linux and root, and groups that may be written", {
        cause: error,
      });
    }
  }

  /** Grants so many CPUs' worth of time from now on; Infinity for no limit. */
  set(cpus: number): void {
    const quota = Math.round(cpus * PERIOD_US);
    if (this.#isV2) this.#write("cpu.max", `${cpus === Infinity ? "max" : quota} ${PERIOD_US}`);
    else this.#write("cpu.cfs_quota_us", `${cpus === Infinity ? -1 : quota}`);
  }

  #write(name: string, text: string): void {
    Deno.writeTextFileSync(`${this.#folder}/${name}`, text);
  }

  [Symbol.dispose](): void {
    Deno.writeTextFileSync(`${this.#parent}/cgroup.procs`, `${Deno.pid}`);
    // Threads leave one after the other.
    for (let tries = 0; tries < 100; tries++) {
      try {
        return Deno.removeSync(this.#folder);
      } catch {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      }
    }
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
