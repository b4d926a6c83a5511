/** Looks for programs without starting them, so that asking costs nothing and cannot fail. @module */

const windows = Deno.build.os === "windows";

function isProgram(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && (mode === null || (mode & 0o111) !== 0);
  } catch {
    return false;
  }
}

/**
 * The first of these names that a folder of `path` (default: PATH) holds as a program: its path. Undefined
 * where none does.
 */
export function findOnPath(
  names: string | readonly string[],
  path = Deno.env.get("PATH"),
): string | undefined {
  const folders = (path ?? "").split(windows ? ";" : ":").filter((folder) => folder !== "");
  const endings = windows ? [".exe", ".cmd", ".bat"] : [""];
  for (const name of [names].flat()) {
    for (const folder of folders) {
      for (const ending of endings) {
        const file = `${folder}/${name}${ending}`;
        if (isProgram(file)) return file;
      }
    }
  }
  return undefined;
}
