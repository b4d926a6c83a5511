/** What starts kumi in an archive. @module */

import type { Platform } from "../../../ffi/platform.ts";

/** What the archive has. */
export interface Contents {
  readonly version: string;
  /** Path of a packed model below the archive's folder. */
  readonly model?: string;
}

/** Deno's arguments before the program. Nothing is fetched, whatever a module asks for. */
export const FLAGS = "run --quiet --no-lock --no-remote --cached-only --node-modules-dir=manual --allow-all";
/** What Deno runs, below the archive's folder. */
export const PROGRAM = "app/src/cli/main.js";

/** Follows links, as whoever puts it on PATH makes one. */
const UNIX = `#!/bin/sh
# Starts kumi with the Deno beside it. Nothing is fetched from anywhere.
self=$0
while [ -L "$self" ]; do
  target=$(readlink "$self")
  case $target in /*) self=$target ;; *) self=$(dirname "$self")/$target ;; esac
done
here=$(cd "$(dirname "$self")/.." && pwd -P)
export DENO_NO_UPDATE_CHECK=1
exec "$here/bin/deno" ${FLAGS} "$here/${PROGRAM}" "$@"
`;

const WINDOWS = [
  "@echo off",
  "rem Starts kumi with the Deno beside it. Nothing is fetched from anywhere.",
  "setlocal",
  "set DENO_NO_UPDATE_CHECK=1",
  `"%~dp0deno.exe" ${FLAGS} "%~dp0..\\${PROGRAM.replaceAll("/", "\\")}" %*`,
  "exit /b %ERRORLEVEL%",
  "",
].join("\r\n");

/** Writes the launcher and a first page. */
export async function writeLaunchers(
  folder: string,
  platform: Platform,
  { version, model }: Contents,
): Promise<void> {
  const isWindows = platform.os === "windows";
  const path = `${folder}/bin/${isWindows ? "kumi.cmd" : "kumi"}`;
  await Deno.writeTextFile(path, isWindows ? WINDOWS : UNIX);
  if (Deno.build.os !== "windows") await Deno.chmod(path, 0o755);
  const kumi = isWindows ? "bin\\kumi" : "bin/kumi";
  const check = isWindows
    ? "certutil -hashfile FILE SHA256       compare with SHA256SUMS"
    : "sha256sum --check --quiet SHA256SUMS  is every file what it was";
  const chosen = model === undefined ? "" : ` --model ${isWindows ? model.replaceAll("/", "\\") : model}`;
  await Deno.writeTextFile(
    `${folder}/FIRST.txt`,
    `kumi ${version} for ${platform.id}, complete: it needs no network and nothing that is installed.

  ${check}
  ${kumi} chat${chosen}
  ${kumi} serve${chosen}
  ${kumi} --help

README.md and docs/ tell the rest; docs/production.md has the steps for a service. deploy/ has configurations.
licences/ and sbom.cdx.json say what of others is in it.
`,
  );
}
