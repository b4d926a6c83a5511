import { KeptFile } from "../kept_file.ts";
import type { KeptSlots } from "./sliding_window.ts";
import { type Usage, USAGE_COUNTS, type UsageRow } from "./usage.ts";

const WHAT = "what keys have used";

/** What a file has. */
interface Kept {
  readonly kumi_usage: 1;
  readonly rows: readonly UsageRow[];
  /** By name of the key and of the limit. */
  readonly windows: Readonly<Record<string, Readonly<Record<string, KeptSlots>>>>;
}

/**
 * Keeps in a file what keys have used, so that a server that starts again goes on with it: the limit of a day is none where a
 * start begins it anew. Throws as {@linkcode KeptFile}.
 */
export function keepUsage(usage: Usage, path: string): Pick<KeptFile, "close"> {
  return new KeptFile<Kept>({
    path,
    what: WHAT,
    parse: usageIn,
    restore: ({ rows, windows }) => {
      usage.restore(rows);
      for (const account of usage.accounts.all()) account.restore(windows[account.name] ?? {});
    },
    text: () => textOf(usage),
  });
}

function textOf({ rows, accounts }: Usage): string {
  const windows = Object.fromEntries(accounts.all().map((account) => [account.name, account.kept()]));
  return JSON.stringify({ kumi_usage: 1, rows, windows } satisfies Kept) + "\n";
}

/** null: it is nothing that a server has written. */
function usageIn(value: unknown): Kept | null {
  const kept = value as Kept;
  const isCount = (value: unknown) => typeof value === "number" && Number.isFinite(value) && value >= 0;
  const isRow = (row: UsageRow) =>
    /^\d{4}-\d\d-\d\d$/.test(row.date) && [row.key, row.model, row.class].every((each) =>
      typeof each === "string"
    ) &&
    USAGE_COUNTS.every((name) => isCount(row[name]));
  const areSlots = (slots: KeptSlots) =>
    slots.every(([slot, amount]) => Number.isSafeInteger(slot) && isCount(amount));
  const isRight = kept.kumi_usage === 1 && kept.rows.every(isRow) &&
    Object.values(kept.windows).every((limits) => Object.values(limits).every(areSlots));
  return isRight ? kept : null;
}
