import type { BatchFigures } from "../batches/batches.ts";
import type { MetricsText } from "./exposition.ts";

/** How it is with batches; nothing where the server has none. */
export function writeBatches(text: MetricsText, figures: BatchFigures | undefined): void {
  if (figures === undefined) return;
  text.family("kumi:batches", "gauge", "Batches that have not ended, by state.")
    .sample(figures.running, { state: "running" })
    .sample(figures.waiting, { state: "waiting" });
  text.family("kumi:batches_ended_total", "counter", "Batches that ended, by status.");
  for (const [status, count] of figures.ended) text.sample(count, { status });
  text.family("kumi:batch_requests_total", "counter", "Requests of batches that have a line, by outcome.");
  for (const [outcome, count] of figures.requests) text.sample(count, { outcome });
  text.family("kumi:batch_files", "gauge", "Files that are kept.").sample(figures.files);
  text.family("kumi:batch_stored_bytes", "gauge", "Bytes of files that are kept or under way.").sample(
    figures.bytes,
  );
}
