/** The image of a container: laid out as OCI wants it, and enough by itself to answer a chat. */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { sha256Of } from "../src/setup/pack/offline/checksums.ts";
import { packImage } from "../src/setup/pack/image/image.ts";
import { type ImageFacts, type Layer, writeImage } from "../src/setup/pack/image/layout.ts";
import { capture } from "../src/setup/process.ts";
import { runContainer, unpackImage } from "./support/container.ts";

const FACTS: ImageFacts = {
  reference: "kumi:1.2.3",
  architecture: "amd64",
  createdSeconds: 1_700_000_000,
  config: { User: "65532:65532", Env: [], Entrypoint: ["/bin/it"], Cmd: [] },
};

Deno.test({
  name: "writeImage() writes layers in order, with their digests, and the same bytes again",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "kumi-layout-" });
    try {
      await Deno.mkdir(`${folder}/a/tmp`, { recursive: true });
      await Deno.mkdir(`${folder}/b`);
      await Deno.chmod(`${folder}/a/tmp`, 0o1777);
      await Deno.writeTextFile(`${folder}/a/name`, "first", { mode: 0o600 });
      await Deno.writeTextFile(`${folder}/b/name`, "second");
      const layer = (name: string, isCompressed: boolean): Layer => {
        const entries = Array.from(Deno.readDirSync(`${folder}/${name}`), (entry) => entry.name).sort();
        return { folder: `${folder}/${name}`, entries, isCompressed, comment: name };
      };
      const layers = [layer("a", true), layer("b", false)];
      await writeImage(`${folder}/one.tar`, `${folder}/parts`, layers, FACTS);
      await writeImage(`${folder}/two.tar`, `${folder}/other`, layers, FACTS);
      assertEquals(await sha256Of(`${folder}/one.tar`), await sha256Of(`${folder}/two.tar`));
      const { image, layers: found, blob } = await unpackImage(
        `${folder}/one.tar`,
        `${folder}/oci`,
        `${folder}/root`,
      );
      assertEquals(await Deno.readTextFile(`${folder}/root/name`), "second");
      assertEquals(
        (await Deno.stat(`${folder}/root/name`)).mode! & 0o777,
        0o644,
        "for a user who is not the owner",
      );
      assertEquals((await Deno.stat(`${folder}/root/tmp`)).mode! & 0o7777, 0o1777);
      assertEquals(found.map(({ mediaType }) => mediaType.split(".").at(-1)), ["tar+gzip", "tar"]);
      for (const { digest, size } of found) {
        assertEquals(`sha256:${await sha256Of(blob(digest))}`, digest);
        assertEquals((await Deno.stat(blob(digest))).size, size);
      }
      assertEquals(image.rootfs.diff_ids[1], found[1].digest, "not compressed: one digest");
      assert(image.rootfs.diff_ids[0] !== found[0].digest);
      const [old] = JSON.parse(await Deno.readTextFile(`${folder}/oci/manifest.json`));
      assertEquals(old.RepoTags, ["kumi:1.2.3"]);
      assertEquals(old.Layers, found.map(({ digest }) => `blobs/${digest.replace(":", "/")}`));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("packImage() refuses platforms of which it makes none", async () => {
  await assertRejects(
    () => packImage({ platform: "windows-x64", out: "/nowhere" }),
    RangeError,
    "windows-x64",
  );
  await assertRejects(
    () => packImage({ platform: "linux-x64-musl", out: "/nowhere" }),
    RangeError,
    "no images",
  );
});

/** Why no container can be tried here. */
async function obstacle(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "containers are of Linux";
  if (Deno.uid() !== 0) return "only root may make such namespaces";
  const done = await capture(["unshare", "--mount", "--pid", "--fork", "--net", "true"]);
  return done?.code === 0 ? undefined : "namespaces are not permitted here";
}

/** Waits for the server beside it, asks, and says who it is and whether it may write. */
const CLIENT = `const url = "http://127.0.0.1:8080";
for (let i = 0; i < 600; i++) {
  const ready = await fetch(url + "/readyz").then(async (r) => (await r.text(), r.ok), () => false);
  if (ready) break;
  await new Promise((resolve) => setTimeout(resolve, 100));
}
const response = await fetch(url + "/v1/chat/completions", {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ messages: [{ role: "user", content: "What is 17 + 25?" }] }),
});
const writes = (path) => Deno.writeTextFile(path, "").then(() => true, () => false);
console.log(JSON.stringify({
  text: (await response.json()).choices?.[0].message.content,
  uid: Deno.uid(),
  root: await writes("/opt/kumi/x") || await writes("/x"),
  tmp: await writes("/tmp/x"),
  interfaces: [...new Set(Deno.networkInterfaces().map(({ name }) => name))],
}));`;

Deno.test("a container of the image answers a chat, as nobody, on a root that it cannot write", async () => {
  const reason = await obstacle();
  if (reason !== undefined) return console.log(`skipped: ${reason}`);
  const out = await Deno.makeTempDir({ prefix: "kumi-image-" });
  try {
    let made;
    try {
      made = await packImage({ out });
    } catch (error) {
      if (!/no image can be made here|npm could not fetch/.test(String(error))) throw error;
      return console.log(`skipped: ${error}`);
    }
    const bill = JSON.parse(await Deno.readTextFile(`${made.file}.sbom.cdx.json`));
    const purls: string[] = bill.components.map(({ purl }: { purl: string }) => purl);
    assert(purls.some((purl) => /^pkg:deb\/debian\/libc6@2/.test(purl)), purls.join("\n"));
    assertEquals(purls.length, made.packages.length);
    const root = `${out}/root`;
    const { image } = await unpackImage(made.file, `${out}/oci`, root);
    assertMatch(image.config.User, /^[1-9]\d*:[1-9]\d*$/);
    for (const each of ["usr/bin/sh", "usr/bin/bash", "usr/bin/apt", "usr/bin/perl"]) {
      assertEquals(await Deno.lstat(`${root}/${each}`).catch(() => null), null, each);
    }
    for (const { name } of Deno.readDirSync(`${root}/var/lib/dpkg/status.d`)) {
      assertStringIncludes(await Deno.readTextFile(`${root}/usr/share/doc/${name}/copyright`), "opyright");
    }
    const args = [...image.config.Cmd, "--insecure", "--threads=1"];
    const { code, stdout, stderr } = await runContainer(root, image, args, CLIENT);
    assertEquals(code, 0, stderr);
    const { text, ...facts } = JSON.parse(stdout);
    assertStringIncludes(text, "42");
    assertEquals(facts, { uid: 65532, root: false, tmp: true, interfaces: ["lo"] });
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});
