/** The root filesystem of an image: from nothing, with the packages of Debian that Deno needs, and no shell. @module */

import { installDebian, RELEASE, STATUS } from "../../debian.ts";
import type { ShippedPackage } from "../offline/packages.ts";

/** The C library, what Rust's programs want of GCC, authorities and time zones; and what a system of Debian begins with. */
const PACKAGES = ["base-files", "libc6", "libgcc-s1", "gcc-14-base", "ca-certificates", "tzdata"];

/** Who kumi is in a container: nobody's number on a usual system. */
export const USER = 65532;

/** Programs, manuals, translations: nobody reads or runs them here. Copyright files stay. */
const USELESS = [
  "etc/ca-certificates",
  "etc/update-motd.d",
  "usr/bin",
  "usr/sbin",
  "usr/share/base-files",
  "usr/share/bug",
  "usr/share/dict",
  "usr/share/doc-base",
  "usr/share/info",
  "usr/share/lintian",
  "usr/share/locale",
  "usr/share/man",
  "usr/share/misc",
];

/**
 * Makes `root`, which must not be there, for an architecture as Debian names it. Resolves to the packages. Throws
 * DebianUnavailable, or the signal's reason.
 */
export async function makeSystem(
  root: string,
  architecture: string,
  signal?: AbortSignal,
): Promise<ShippedPackage[]> {
  await installDebian({ packages: PACKAGES, root, architecture, prepare }, signal);
  const packages: ShippedPackage[] = [];
  for await (const { name } of Deno.readDir(`${root}/${STATUS}`)) {
    const control = await Deno.readTextFile(`${root}/${STATUS}/${name}`);
    const [, version] = /^Version: (\S+)$/m.exec(control)!;
    packages.push({
      name,
      version,
      licence: `see /usr/share/doc/${name}/copyright`,
      licenceFiles: [],
      purl: `pkg:deb/debian/${name}@${
        encodeURIComponent(version)
      }?arch=${architecture}&distro=debian-${RELEASE}`,
    });
  }
  return packages;
}

async function prepare(root: string): Promise<void> {
  for (const path of USELESS) await Deno.remove(`${root}/${path}`, { recursive: true }).catch(() => {});
  for (const path of ["usr/bin", "usr/sbin", "etc/ssl/certs"]) {
    await Deno.mkdir(`${root}/${path}`, { recursive: true }); // links lead to the first two
  }
  await keepCopyrights(`${root}/usr/share/doc`);
  await bundleAuthorities(root);
  const accounts =
    `root:x:0:0:root:/root:/usr/sbin/nologin\nkumi:x:${USER}:${USER}:kumi:/cache:/usr/sbin/nologin\n`;
  await Deno.writeTextFile(`${root}/etc/passwd`, accounts);
  await Deno.writeTextFile(`${root}/etc/group`, `root:x:0:\nkumi:x:${USER}:\n`);
  await Deno.writeTextFile(`${root}/etc/nsswitch.conf`, "passwd: files\ngroup: files\nhosts: files dns\n");
  await Deno.mkdir(`${root}/models`, { recursive: true });
  for (const path of ["tmp", "cache"]) {
    await Deno.mkdir(`${root}/${path}`, { recursive: true });
    await Deno.chmod(`${root}/${path}`, 0o1777);
  }
}

/** Of a package's papers its copyright; where that is another package's, the link to it. */
async function keepCopyrights(folder: string): Promise<void> {
  for await (const { name, isSymlink } of Deno.readDir(folder)) {
    if (isSymlink) continue;
    for await (const { name: file } of Deno.readDir(`${folder}/${name}`)) {
      if (file !== "copyright") await Deno.remove(`${folder}/${name}/${file}`, { recursive: true });
    }
  }
}

/** What `update-ca-certificates` would make. */
async function bundleAuthorities(root: string): Promise<void> {
  const folder = `${root}/usr/share/ca-certificates/mozilla`;
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
  const texts = await Promise.all(names.map((name) => Deno.readTextFile(`${folder}/${name}`)));
  await Deno.writeTextFile(`${root}/etc/ssl/certs/ca-certificates.crt`, texts.join(""));
}
