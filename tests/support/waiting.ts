/** Waits that end: what never comes fails a test instead of stopping all. @module */

/** More than the slowest machine needs. */
const PATIENCE_MS = 120_000;

/** Waits until it is so. Throws an Error with `what` when it never is. */
export async function waitUntil(isSo: () => boolean | Promise<boolean>, what = `${isSo}`): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!await isSo()) {
    if (performance.now() > end) throw new Error(`it never came so far: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Reads until what has come has `text` in it; returns all of it. Throws an Error where it ends before. */
export async function readUntil(reader: ReadableStreamDefaultReader<string>, text: string): Promise<string> {
  let read = "";
  while (!read.includes(text)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`it ended without ${JSON.stringify(text)}: ${read}`);
    read += value;
  }
  return read;
}
