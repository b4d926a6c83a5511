/** A list of what an archive is made of, for those who look for known faults: CycloneDX 1.5. @module */

import type { Platform } from "../../../ffi/platform.ts";
import type { Manifest } from "../npm.ts";
import type { ShippedPackage } from "./packages.ts";

/** The bill of materials of an archive. https://cyclonedx.org/docs/1.5/json/ */
export function sbomOf(manifest: Manifest, platform: Platform, packages: readonly ShippedPackage[]): unknown {
  const npm = (name: string, version: string) => `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": npm(manifest.name, manifest.version),
        name: manifest.name,
        version: manifest.version,
        description: `for ${platform.id}`,
        licenses: [{ license: { id: manifest.license } }],
      },
    },
    components: packages.toSorted((a, b) => a.name < b.name ? -1 : 1).map((
      { name, version, licence, integrity, purl = npm(name, version) },
    ) => ({
      type: "library",
      "bom-ref": purl,
      name,
      version,
      purl,
      licenses: [licenceIn(licence)],
      ...integrity === undefined ? {} : { hashes: [{ alg: "SHA-512", content: hexOf(integrity) }] },
    })),
  };
}

/** Writes the bill to a file. */
export async function writeSbom(
  file: string,
  manifest: Manifest,
  platform: Platform,
  packages: readonly ShippedPackage[],
): Promise<void> {
  const text = JSON.stringify(sbomOf(manifest, platform, packages), null, 2);
  await Deno.writeTextFile(file, text + "\n");
}

/** An SPDX expression, an SPDX identifier, or words. */
function licenceIn(licence: string): unknown {
  if (/ (?:OR|AND) /.test(licence)) return { expression: licence };
  return { license: /^[\w.+-]+$/.test(licence) ? { id: licence } : { name: licence } };
}

function hexOf(integrity: string): string {
  return Uint8Array.fromBase64(integrity.replace(/^sha512-/, "")).toHex();
}
