import type { ModelStats } from "../../client/client.ts";
import type { MetricsText } from "./exposition.ts";

/** Writes what the folders of stored prefixes take: each once, however many workers and models use it. */
export function writeStores(text: MetricsText, models: readonly (ModelStats | null)[]): void {
  const bytesByDir = new Map<string, number>();
  for (const { prefixStore } of models.flatMap((stats) => stats?.workers ?? [])) {
    if (prefixStore === undefined) continue;
    const { dir, bytes } = prefixStore;
    // Each looks into the folder now and then: who knows of most has looked last, or written since.
    bytesByDir.set(dir, Math.max(bytesByDir.get(dir) ?? 0, bytes));
  }
  if (bytesByDir.size === 0) return;
  text.family("kumi:prefix_store_bytes", "gauge", "Files of the store of prefixes, as far as workers know.")
    .sample(bytesByDir.values().reduce((sum, bytes) => sum + bytes));
}
