import { oneLine } from "../../process/harmless.ts";
import { printNote } from "../../process/print.ts";
import type { RoutePolicy, SpentMinutes } from "../../routing/route_policy.ts";

/** Between two looks whether there is something to write. */
const WRITE_MS = 10_000;
const MINUTE_MS = 60_000, DAY_MINUTES = 24 * 60;
/** What is larger was not written by a server. */
const BYTES_MAX = 16 << 20;

/** The files that spending is kept in: a new one takes the place of the old. */
export function spendFiles(path: string): string[] {
  return [path, `${path}.new`];
}

/** What a file has: by upstream, costs by minutes since 1970. */
interface Kept {
  readonly kumi_spending: 1;
  readonly spent: Readonly<Record<string, readonly (readonly [minute: number, cost: number])[]>>;
}

/**
 * Keeps in a file what was spent in the last day, so that a server that starts again goes on with it: a cap is no cap where
 * a crash begins it anew. `wallNow`: ms since 1970.
 */
export class SpendFile {
  readonly #path: string;
  readonly #policy: RoutePolicy;
  readonly #wallNow: () => number;
  readonly #timer: ReturnType<typeof setInterval>;
  #written = "";
  #hasFailed = false;

  /** Reads what is there. Throws an Error for a file that is none of its own: nobody knows then what was spent. */
  constructor(path: string, policy: RoutePolicy, wallNow: () => number = Date.now) {
    this.#path = path;
    this.#policy = policy;
    this.#wallNow = wallNow;
    policy.restoreSpending(this.#read(), performance.now());
    this.#timer = setInterval(() => this.write(), WRITE_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Writes what has changed. A disk that is full is told of once, and requests go on. */
  write(): void {
    const minute = Math.floor(this.#wallNow() / MINUTE_MS);
    const spent = Object.fromEntries(
      Object.entries(this.#policy.spentMinutes(performance.now())).map(([name, all]) => [
        name,
        all.map(([ago, cost]) => [minute - ago, cost] as const),
      ]),
    );
    const text = JSON.stringify({ kumi_spending: 1, spent } satisfies Kept) + "\n";
    if (text === this.#written) return;
    const [path, fresh] = spendFiles(this.#path);
    try {
      Deno.writeTextFileSync(fresh, text);
      Deno.renameSync(fresh, path);
      this.#written = text;
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) {
        printNote(
          `kumi: cannot keep what upstreams have cost in ${path}: ${oneLine((error as Error).message)}`,
        );
      }
      this.#hasFailed = true;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.write();
  }

  #read(): SpentMinutes {
    const text = readFile(this.#path);
    if (text === null) return {};
    const minute = Math.floor(this.#wallNow() / MINUTE_MS);
    const spent = spentIn(text);
    if (spent === null) {
      throw new Error(`${this.#path} does not have what upstreams have cost: remove it to begin at 0`);
    }
    return Object.fromEntries(
      Object.entries(spent).map(([name, all]) => [
        name,
        // A clock that was set back makes nothing cheaper.
        all.map(([at, cost]) => [Math.max(0, minute - at), cost] as const).filter(([ago]) =>
          ago < DAY_MINUTES
        ),
      ]),
    );
  }
}

/** null: there is none. */
function readFile(path: string): string | null {
  try {
    if (Deno.statSync(path).size > BYTES_MAX) return "";
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** null: the text is none that a server has written. */
function spentIn(text: string): Kept["spent"] | null {
  try {
    const { kumi_spending, spent } = JSON.parse(text) as Kept;
    const isRight = kumi_spending === 1 &&
      Object.values(spent).every((all) =>
        all.every(([minute, cost]) => Number.isSafeInteger(minute) && Number.isFinite(cost) && cost >= 0)
      );
    return isRight ? spent : null;
  } catch {
    return null;
  }
}
