/** The archive for machines without the internet: complete, checked, and enough by itself. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { platformOf } from "../src/ffi/platform.ts";
import { packOffline } from "../src/setup/pack/offline/archive.ts";
import { sha256Of } from "../src/setup/pack/offline/checksums.ts";
import { FLAGS, PROGRAM } from "../src/setup/pack/offline/launchers.ts";
import { refusedLicences } from "../src/setup/pack/offline/licences.ts";
import { lockedPackages } from "../src/setup/pack/offline/packages.ts";
import { AI_SDK, CLI } from "../src/setup/pack/npm.ts";
import { parseOptions } from "../src/setup/pack/main.ts";
import { packagesOf, readSources, withStandIns } from "../src/setup/pack/sources.ts";
import { ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { testWithPrograms } from "./support/optional.ts";

Deno.test("the lock has every package that kumi imports, in its version, with a SHA-512 and no address", async () => {
  const locked = await lockedPackages();
  const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  const wanted = packagesOf(await withStandIns(await readSources(["mod.ts", AI_SDK, CLI], new Map())));
  assert(wanted.length > 4);
  for (const name of wanted) {
    const { version } = locked.get(`node_modules/${name}`) ?? {};
    assertEquals(imports[name], `npm:${name}@${version}`, "deno.json and the lock agree");
  }
  for (const [place, { integrity }] of locked) assertMatch(integrity ?? "", /^sha512-[\w+/]{86}==$/, place);
  assert(
    !(await Deno.readTextFile(`${ROOT}/src/setup/pack/offline/package-lock.json`)).includes("://registry"),
  );
});

Deno.test("options of pack that exclude each other, and a model that is not there, are told before anything is packed", () => {
  const cases: Record<string, string> = {
    "--image --offline": "give one",
    "--image --this-platform": "--this-platform is for packages",
    "--model demo": "are for --offline and --image",
    "--image --model /nope": "--model: there is no file /nope",
  };
  for (const [argv, message] of Object.entries(cases)) {
    assertThrows(() => parseOptions(argv.split(" ")), RangeError, message);
  }
  assertEquals(parseOptions(["--image", "--model", "demo"])?.form, "image");
});

Deno.test("only what may be passed on is passed on", () => {
  const about = { version: "1", licenceFiles: [] };
  const of = (licence: string) => refusedLicences([{ name: "x", licence, ...about }]);
  for (const licence of ["MIT", "(AFL-2.1 OR BSD-3-Clause)", "MIT AND ISC", "GPL-3.0 OR MIT"]) {
    assertEquals(of(licence), []);
  }
  for (const licence of ["GPL-3.0", "MIT AND GPL-3.0", "unknown", "SEE LICENSE IN EULA"]) {
    assertEquals(of(licence), [`x: ${licence}`]);
  }
});

Deno.test("the service of Windows starts what the archive's launcher starts", async () => {
  const text = await Deno.readTextFile(`${ROOT}/deploy/windows/kumi-service.xml`);
  const [, command] = /<arguments>(.*)<\/arguments>/.exec(text)!;
  assert(command.startsWith(`${FLAGS} "%BASE%\\${PROGRAM.replaceAll("/", "\\")}" serve `), command);
});

/** Commands that run a program in a network of its own, without any interface, the first that works here. */
async function withoutNetwork(): Promise<readonly string[] | null> {
  for (const command of [["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]]) {
    const done = await capture([...command, "true"]).catch(() => null);
    if (done?.code === 0) return command;
  }
  return null;
}

testWithPrograms("an unpacked archive answers on a machine without a network", ["npm"], async () => {
  const out = await Deno.makeTempDir({ prefix: "kumi-offline-" });
  try {
    let archive;
    try {
      archive = await packOffline({ out });
    } catch (error) {
      if (!/npm could not fetch/.test(String(error))) throw error;
      console.log(`skipped: no registry of npm: ${error}`);
      return;
    }
    const { folder, file, packages } = archive;
    assertStringIncludes(file, platformOf()!.id);
    const sums = (await Deno.readTextFile(`${folder}/SHA256SUMS`)).trim().split("\n");
    for (const line of sums.filter((_, i) => i % 40 === 0)) {
      const [, sum, path] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line)!;
      assertEquals(await sha256Of(`${folder}/${path}`), sum, path);
    }
    const bill = JSON.parse(await Deno.readTextFile(`${folder}/sbom.cdx.json`));
    assertEquals(bill.components.length, packages.length);
    const alone = await withoutNetwork();
    if (alone === null) console.log("skipped: a network of its own is not permitted here");
    const home = `${out}/home`;
    await Deno.mkdir(home);
    const command = [...alone ?? [], "env", "-i", `HOME=${home}`, "PATH=/usr/bin:/bin", `${folder}/bin/kumi`];
    const answer = await capture([...command, "run", "What is 17 + 25?"]);
    assertEquals(answer?.code, 0, answer?.stderr);
    assertStringIncludes(answer!.stdout, "42");
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}, Deno.build.os === "windows" ? "Windows has no unshare and no env" : undefined);
