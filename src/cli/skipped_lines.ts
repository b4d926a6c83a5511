import { printNote } from "../process/print.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { counted } from "./counted.ts";

/** Lines that are told one by one; of the others their number. */
const TOLD_MAX = 10;

/** Says on stderr which lines of traffic hold no request, and why. */
export function noteSkipped({ skipped }: Pick<Traffic, "skipped">): void {
  for (const { line, reason } of skipped.slice(0, TOLD_MAX)) {
    printNote(`kumi: left out line ${line}: ${reason}`);
  }
  const more = skipped.length - TOLD_MAX;
  if (more > 0) printNote(`kumi: left out ${counted(more, "more line")}`);
}
