/** One process at a time. @module */

import { delay } from "../process/delay.ts";
import { diskError } from "./part_file.ts";

const POLL_MS = 200;

/**
 * Takes the exclusive lock on `path`, waiting for another holder; disposing the file frees it, and so does the death of
 * this process. Polls, because a blocking wait could not be aborted.
 */
export async function lockFile(path: string, signal: AbortSignal, onWait: () => void): Promise<Deno.FsFile> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { create: true, write: true });
  } catch (error) {
    throw diskError(error, path);
  }
  try {
    for (let waited = false; !await file.tryLock(true); waited = true) {
      if (!waited) onWait();
      await delay(POLL_MS, signal);
    }
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
