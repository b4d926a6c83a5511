/** Fields of requests for files and batches. @module */

import { BULK_PATHS } from "../bulk/request_line.ts";
import { badField } from "../api_error.ts";
import { anything, integer, object, tag, text, word } from "../schema/fields.ts";

const ELSEWHERE = "Files are for batches alone in this server";

/** What a file that is sent is for. */
export const PURPOSE = tag(
  ["batch"],
  Object.fromEntries(
    ["assistants", "fine-tune", "vision", "user_data", "evals", "batch_output"].map((
      name,
    ) => [name, ELSEWHERE]),
  ),
  "what a file is for",
);

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;
const WINDOW_DAYS_MAX = 30;
/** OpenAI's bounds. */
export const EXPIRES_SECONDS = integer(HOUR_SECONDS, WINDOW_DAYS_MAX * DAY_SECONDS);

const METADATA_MAX = 16;
const METADATA_NAME_MAX = 64;
const METADATA_VALUE_MAX = 512;
const ID_MAX = 64;

const WINDOW = /^([1-9]\d{0,2})(h|d)$/;

export const BATCH_BODY = object({
  input_file_id: text(ID_MAX, { min: 1 }),
  endpoint: word(BULK_PATHS),
  completion_window: text(8, { min: 2, help: 'Such as "24h", "90h" or "7d", up to 30 days.' }),
}, {
  metadata: anything({ help: "At most 16 texts by names of at most 64 characters." }),
  output_expires_after: object({ anchor: word(["created_at"]), seconds: EXPIRES_SECONDS }, {}),
});

export const LIST_LIMIT = integer(1, 10_000);

/** Seconds of a completion window; null for what is none. */
export function windowSeconds(window: string): number | null {
  const match = WINDOW.exec(window);
  if (match === null) return null;
  const seconds = Number(match[1]) * (match[2] === "h" ? HOUR_SECONDS : DAY_SECONDS);
  return seconds <= WINDOW_DAYS_MAX * DAY_SECONDS ? seconds : null;
}

/** What a client notes beside a batch. Throws an ApiError, 400. */
export function metadataOf(given: unknown): Record<string, string> | null {
  if (given === undefined || given === null) return null;
  const entries = typeof given === "object" && !Array.isArray(given) ? Object.entries(given) : null;
  const isRight = entries !== null && entries.length <= METADATA_MAX &&
    entries.every(([name, value]) =>
      name.length <= METADATA_NAME_MAX && typeof value === "string" && value.length <= METADATA_VALUE_MAX
    );
  if (isRight) return Object.fromEntries(entries);
  throw badField(
    "metadata",
    `"metadata" must be an object of at most ${METADATA_MAX} texts of at most ${METADATA_VALUE_MAX} characters, with names of at most ${METADATA_NAME_MAX}`,
  );
}
