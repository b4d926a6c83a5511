import type { RoutePolicy, SpentMinutes } from "../../routing/route_policy.ts";
import { KeptFile } from "../kept_file.ts";

const MINUTE_MS = 60_000, DAY_MINUTES = 24 * 60;
const WHAT = "what upstreams have cost";

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
  readonly #policy: RoutePolicy;
  readonly #wallNow: () => number;
  readonly #file: Pick<KeptFile, "write" | "close">;

  /** Reads what is there. Throws as {@linkcode KeptFile}. */
  constructor(path: string, policy: RoutePolicy, wallNow: () => number = Date.now) {
    this.#policy = policy;
    this.#wallNow = wallNow;
    this.#file = new KeptFile({
      path,
      what: WHAT,
      parse: spentIn,
      restore: (spent) => policy.restoreSpending(this.#ages(spent), performance.now()),
      text: () => this.#text(),
    });
  }

  /** Writes what has changed. */
  write(): void {
    this.#file.write();
  }

  close(): void {
    this.#file.close();
  }

  get #minute(): number {
    return Math.floor(this.#wallNow() / MINUTE_MS);
  }

  #text(): string {
    const minute = this.#minute;
    const spent = Object.fromEntries(
      Object.entries(this.#policy.spentMinutes(performance.now())).map(([name, all]) => [
        name,
        all.map(([ago, cost]) => [minute - ago, cost] as const),
      ]),
    );
    return JSON.stringify({ kumi_spending: 1, spent } satisfies Kept) + "\n";
  }

  #ages(spent: Kept["spent"]): SpentMinutes {
    const minute = this.#minute;
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

/** null: the text is none that a server has written. */
function spentIn(value: unknown): Kept["spent"] | null {
  const { kumi_spending, spent } = value as Kept;
  const isRight = kumi_spending === 1 &&
    Object.values(spent).every((all) =>
      all.every(([minute, cost]) => Number.isSafeInteger(minute) && Number.isFinite(cost) && cost >= 0)
    );
  return isRight ? spent : null;
}
