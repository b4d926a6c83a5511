/**
 * Which tests a change concerns: those that lead to a changed file by imports, workers, or the names of files
 * that they start or read. Whatever a string names counts, so that a child process is no gap; too many tests
 * may be found, too few only where a name is put together at run time.
 * @module
 */

/** A test file that leads to a changed one. */
export interface Concerned {
  readonly file: string;
  /** Steps from it to the changed file: 0 for a changed test. */
  readonly distance: number;
}

/** What stands between quotes and may name a file. */
const QUOTED = /["'`]([^"'`\n]*\.\w+)(?:[?#][^"'`\n]*)?["'`]/g;

const isTest = (path: string) => /_test\.ts$/.test(path);

/** "a/b/../c" as "a/c"; null where it leaves the checkout. */
function normalize(path: string): string | null {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) return null;
    } else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}

/**
 * The files that a text names. Paths are relative to the file's folder or to the checkout; `${ROOT}/` stands
 * for the latter.
 */
function namedFiles(path: string, text: string, files: ReadonlySet<string>): Set<string> {
  const folder = path.replace(/[^/]*$/, "");
  const named = new Set<string>();
  for (const [, literal] of text.matchAll(QUOTED)) {
    const plain = literal.replace(/^\$\{[^}]*\}\//, "");
    const isRelative = plain.startsWith(".");
    for (const candidate of [normalize(folder + plain), isRelative ? null : normalize(plain)]) {
      if (candidate !== null && candidate !== path && files.has(candidate)) named.add(candidate);
    }
  }
  return named;
}

/**
 * The tests that lead to a changed file, the nearest first. `sources`: every file of the checkout by its
 * path, with its text where that may name others. What is gone concerns nobody: who still names it does not
 * pass the type check.
 */
export function concernedTests(
  changed: Iterable<string>,
  sources: ReadonlyMap<string, string>,
): Concerned[] {
  const files = new Set(sources.keys());
  const namedBy = new Map<string, string[]>();
  for (const [path, text] of sources) {
    for (const target of namedFiles(path, text, files)) {
      namedBy.set(target, [...namedBy.get(target) ?? [], path]);
    }
  }
  const distances = new Map<string, number>();
  let front = [...new Set(changed)];
  for (let distance = 0; front.length > 0; distance++) {
    const next: string[] = [];
    for (const path of front) {
      if (distances.has(path)) continue;
      distances.set(path, distance);
      next.push(...namedBy.get(path) ?? []);
    }
    front = next;
  }
  return [...distances].filter(([path]) => isTest(path) && files.has(path))
    .map(([file, distance]) => ({ file, distance }))
    .sort((a, b) => a.distance - b.distance || (a.file < b.file ? -1 : 1));
}
