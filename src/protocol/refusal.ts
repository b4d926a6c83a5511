import type { Refusal } from "../../scheduler/mod.ts";
import { waitText } from "./duration.ts";
import { RefusedError } from "./errors.ts";
import type { WorkRequest } from "./request.ts";

/** The error that a refused request ends with. */
export function refusal(
  { class: className, deadlineMs }: Pick<WorkRequest, "class" | "deadlineMs">,
  { reason, retryAfterMs }: Refusal,
): RefusedError {
  const name = `"${className}"`;
  const why = {
    "too-long": `prompt and answer do not fit into the KV cache or the queue of class ${name}`,
    "queue-full": `the queue of class ${name} is full`,
    "slo": `its first token would come later than class ${name} promises`,
    "deadline": `it would not meet its deadline of ${deadlineMs} ms`,
  }[reason];
  const again = retryAfterMs === undefined ? "" : `; try again in ${waitText(retryAfterMs)}`;
  return new RefusedError(`The request was refused: ${why}${again}`, reason, retryAfterMs);
}
