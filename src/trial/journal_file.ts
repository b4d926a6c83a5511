/**
 * Appends a text to a file, and returns when it is on the disk. `keepBytes`: what the file has beyond is cut off
 * first.
 */
export function appendText(path: string, text: string, keepBytes?: number): void {
  using file = Deno.openSync(path, { write: true, create: true });
  if (keepBytes !== undefined) file.truncateSync(keepBytes);
  file.seekSync(0, Deno.SeekMode.End);
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
  file.syncSync();
}
