/** The licences of what an archive has of others, in one folder, and whether each may be shipped. @module */

import type { ShippedPackage } from "./packages.ts";

/** Licences that allow passing a program on with their text beside it. */
const ALLOWED = new Set([
  "MIT",
  "ISC",
  "0BSD",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "Unlicense",
]);

/** Packages whose licence is not among those that may be shipped, with what it is. */
export function refusedLicences(packages: readonly ShippedPackage[]): string[] {
  return packages.filter(({ licence }) => !isAllowed(licence)).map(({ name, licence }) =>
    `${name}: ${licence}`
  );
}

/** Of `A OR B` one must be allowed, of `A AND B` both. */
function isAllowed(expression: string): boolean {
  const text = expression.replace(/^\((.*)\)$/, "$1");
  if (text.includes(" OR ")) return text.split(" OR ").some(isAllowed);
  if (text.includes(" AND ")) return text.split(" AND ").every(isAllowed);
  return ALLOWED.has(text);
}

/** Writes `licences/`: a list, and the texts. Throws an Error for a licence that does not allow it. */
export async function writeLicences(folder: string, packages: readonly ShippedPackage[]): Promise<void> {
  const refused = refusedLicences(packages);
  if (refused.length > 0) throw new Error(`not to be shipped by its licence: ${refused.join("; ")}`);
  await Deno.mkdir(`${folder}/licences`, { recursive: true });
  const lines: string[] = [];
  for (
    const { name, version, licence, licenceFiles } of packages.toSorted((a, b) => a.name < b.name ? -1 : 1)
  ) {
    lines.push(`${name} ${version}: ${licence}`);
    for (const [i, file] of licenceFiles.entries()) {
      const copy = `${name.replace(/^@/, "").replaceAll("/", "-")}${i === 0 ? "" : `-${i + 1}`}.txt`;
      await Deno.copyFile(`${folder}/${file}`, `${folder}/licences/${copy}`);
      lines.push(`  licences/${copy}`);
    }
  }
  await Deno.writeTextFile(`${folder}/licences/LIST.txt`, lines.join("\n") + "\n");
}
