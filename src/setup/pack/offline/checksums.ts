/** SHA-256 of every file, as `sha256sum --check` reads them. @module */

import { createHash } from "node:crypto";

/** SHA-256 of a file, in hexadecimal digits. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  for await (const part of file.readable) hash.update(part);
  return hash.digest("hex");
}

/** Writes `SHA256SUMS` of all files below a folder. */
export async function writeChecksums(folder: string): Promise<void> {
  const lines: string[] = [];
  for (const path of (await filesBelow(folder, "")).sort()) {
    lines.push(`${await sha256Of(`${folder}/${path}`)}  ${path}`);
  }
  await Deno.writeTextFile(`${folder}/SHA256SUMS`, lines.join("\n") + "\n");
}

async function filesBelow(folder: string, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory, isSymlink } of Deno.readDir(`${folder}/${prefix}`)) {
    if (isSymlink) continue; // npm's links to programs, which are files of their own
    if (isDirectory) found.push(...await filesBelow(folder, `${prefix}${name}/`));
    else found.push(`${prefix}${name}`);
  }
  return found;
}
