import { assertEquals } from "@std/assert";
import { changesOf, versionFindings } from "./checks.ts";

const CHANGES =
  "# Changes\n\n## 1.2.0, 2026-12-01\n\n- new\n\n## 1.1.0, not yet released\n\n- old\n- older\n";

Deno.test("versionFindings() wants one version everywhere and its date in the change log", () => {
  const oks = (manifest: string, code = manifest) =>
    versionFindings(manifest, code, CHANGES).map(({ ok }) => ok);
  assertEquals(oks("1.2.0"), [true, true, true]);
  assertEquals(oks("1.2.0", "1.2.1"), [true, false, true]);
  assertEquals(oks("1.1.0"), [true, true, false]);
  assertEquals(oks("1.2"), [false, true, false]);
  assertEquals(versionFindings("1.3.0", "1.3.0", CHANGES)[2].text, "CHANGELOG.md has nothing of 1.3.0");
});

Deno.test("changesOf() is a version's part of the change log", () => {
  assertEquals(changesOf("1.2.0", CHANGES), "- new");
  assertEquals(changesOf("1.1.0", CHANGES), "- old\n- older");
  assertEquals(changesOf("9.9.9", CHANGES), "");
});
