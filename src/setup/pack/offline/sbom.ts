/** A list of what an archive is made of, for those who look for known faults: CycloneDX 1.5. @module */

import type { Platform } from "../../../ffi/platform.ts";
import type { Manifest } from "../npm.ts";
import type { ShippedPackage } from "./packages.ts";

/** The bill of materials of an archive. https://cyclonedx.org/docs/1.5/json/ */
export function sbomOf(manifest: Manifest, platform: Platform, packages: readonly ShippedPackage[]): unknown {
  const purl = (name: string, version: string) => `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": purl(manifest.name, manifest.version),
        name: manifest.name,
        version: manifest.version,
        description: `for ${platform.id}`,
        licenses: [{ license: { id: manifest.license } }],
      },
    },
    components: packages.toSorted((a, b) => a.name < b.name ? -1 : 1).map((
      { name, version, licence, integrity },
    ) => ({
      type: "library",
      "bom-ref": purl(name, version),
      name,
      version,
      purl: purl(name, version),
      licenses: [/ (?:OR|AND) /.test(licence) ? { expression: licence } : { license: { id: licence } }],
      ...integrity === undefined ? {} : { hashes: [{ alg: "SHA-512", content: hexOf(integrity) }] },
    })),
  };
}

/** Writes `sbom.cdx.json`. */
export async function writeSbom(
  folder: string,
  manifest: Manifest,
  platform: Platform,
  packages: readonly ShippedPackage[],
): Promise<void> {
  const text = JSON.stringify(sbomOf(manifest, platform, packages), null, 2);
  await Deno.writeTextFile(`${folder}/sbom.cdx.json`, text + "\n");
}

function hexOf(integrity: string): string {
  return Uint8Array.fromBase64(integrity.replace(/^sha512-/, "")).toHex();
}
