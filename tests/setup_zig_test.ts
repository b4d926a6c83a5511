import { assert, assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BuildError, ensureLibrary, sourceHash } from "../src/setup/build.ts";
import { libraryPath } from "../src/setup/paths.ts";
import { ensureZig, findZig, ZIG_VERSION, ZigError, type ZigSearch } from "../src/setup/zig.ts";

const ignore = Deno.build.os === "windows"; // the stand-ins for Zig and Python are shell scripts

/** A folder with a `bin` of stand-ins, which is the whole PATH. */
async function setUp() {
  const folder = await Deno.makeTempDir({ prefix: "kumi-setup-" });
  await Deno.mkdir(`${folder}/bin`);
  const search: ZigSearch = {
    explicit: "",
    tools: `${folder}/tools`,
    pythons: [[`${folder}/bin/python`]],
    pips: [],
    env: { PATH: `${folder}/bin` },
  };
  return {
    folder,
    search,
    async script(path: string, body: string): Promise<string> {
      const file = `${folder}/${path}`;
      await Deno.mkdir(file.replace(/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
      return file;
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

const zigOf = (version: string) => `echo ${version}`;

/** A Python whose ziglang lies in `folder` (none: no such package), and whose pip installs into --target. */
function pythonWith(folder: string | null, pip: "works" | "fails" | "none", version = ZIG_VERSION): string {
  const has = folder === null ? "exit 1" : `echo ${folder}`;
  const install = {
    works:
      `/bin/mkdir -p "$6/ziglang"; printf '#!/bin/sh\\necho ${version}\\n' > "$6/ziglang/zig"; /bin/chmod +x "$6/ziglang/zig"`,
    fails: `echo "ERROR: No matching distribution found for ziglang" >&2; exit 1`,
    none: `echo "No module named pip" >&2; exit 1`,
  }[pip];
  // python -m pip install --no-deps --no-compile --target FOLDER …
  return `if [ "$1" = -c ]; then ${has}; else shift; ${install}; fi`;
}

Deno.test({ ignore, name: "findZig() takes ZIG before PATH before Python before the checkout" }, async () => {
  await using test = await setUp();
  const { search } = test;
  assertEquals(await findZig(search), null);
  const own = await test.script(`tools/ziglang-${ZIG_VERSION}/ziglang/zig`, zigOf(ZIG_VERSION));
  assertEquals(await findZig(search), own);
  const packaged = await test.script("site/ziglang/zig", zigOf(ZIG_VERSION));
  await test.script("bin/python", pythonWith(`${test.folder}/site/ziglang`, "none"));
  assertEquals(await findZig(search), packaged);
  await test.script("bin/zig", zigOf(ZIG_VERSION));
  assertEquals(await findZig(search), "zig");
  const explicit = await test.script("elsewhere/zig", zigOf(ZIG_VERSION));
  assertEquals(await findZig({ ...search, explicit }), explicit);
});

Deno.test({ ignore, name: "findZig() passes over other versions and programs that do not run" }, async () => {
  await using test = await setUp();
  const explicit = await test.script("old/zig", zigOf("0.13.0"));
  await test.script("bin/zig", "exit 3");
  await test.script("site/ziglang/zig", zigOf("0.16.0"));
  await test.script("bin/python", pythonWith(`${test.folder}/site/ziglang`, "none"));
  assertEquals(await findZig({ ...test.search, explicit }), null);
  assertEquals(await findZig({ ...test.search, explicit: `${test.folder}/nowhere` }), null);
});

Deno.test({ ignore, name: "ensureZig() installs with pip into the checkout, once" }, async () => {
  await using test = await setUp();
  await test.script("bin/python", pythonWith(null, "works"));
  const zig = `${test.folder}/tools/ziglang-${ZIG_VERSION}/ziglang/zig`;
  assertEquals(await ensureZig(test.search), zig);
  await test.script("bin/python", pythonWith(null, "fails"));
  assertEquals(await ensureZig(test.search), zig);
});

Deno.test({ ignore, name: "ensureZig() says what to install when nothing works" }, async () => {
  await using test = await setUp();
  for (const pip of ["fails", "none"] as const) {
    await test.script("bin/python", pythonWith(null, pip));
    const error = await assertRejects(() => ensureZig(test.search), ZigError);
    assertStringIncludes(error.message, pip === "fails" ? "No matching distribution" : "No module named pip");
    assertStringIncludes(error.message, `pip install ziglang==${ZIG_VERSION}`);
    assertStringIncludes(error.message, "https://ziglang.org/download/");
  }
  const none = await assertRejects(
    () => ensureZig({ ...test.search, pythons: [["nowhere"]], pips: [["nopip"]] }),
    ZigError,
  );
  assertStringIncludes(none.message, "nopip: not found");
  for await (const entry of Deno.readDir(`${test.folder}/tools`)) throw new Error(`left ${entry.name}`);
});

Deno.test({ ignore, name: "ensureZig() does not trust an install of another version" }, async () => {
  await using test = await setUp();
  await test.script("bin/python", pythonWith(null, "works", "0.14.0"));
  await assertRejects(() => ensureZig(test.search), ZigError, "is 0.14.0");
});

Deno.test({ ignore, name: "ensureZig() stops at the signal and leaves nothing half-installed" }, async () => {
  await using test = await setUp();
  await test.script("bin/python", `if [ "$1" = -c ]; then exit 1; fi; exec /bin/sleep 30`);
  const signal = AbortSignal.timeout(300);
  await assertRejects(() => ensureZig({ ...test.search, signal }), DOMException);
  for await (const entry of Deno.readDir(`${test.folder}/tools`)) throw new Error(`left ${entry.name}`);
});

/**
 * Kernels with a stand-in for Zig that "builds" by writing `content` to the library, and counts its calls.
 */
async function setUpBuild() {
  const test = await setUp();
  const kernels = `${test.folder}/kernels`;
  const build = `${test.folder}/build`;
  await Deno.mkdir(`${kernels}/src`, { recursive: true });
  await Deno.writeTextFile(`${kernels}/build.zig`, "one");
  const library = libraryPath("$prefix");
  const makeZig = (content: string, status = 0) =>
    test.script(
      "bin/zig",
      `echo call >> ${test.folder}/calls
       while [ "$1" != --prefix ]; do shift; done; prefix=$2
       /bin/mkdir -p "$prefix/lib"; echo ${content} > "${library}"; echo "the compiler speaks"; exit ${status}`,
    );
  const zig = await makeZig("first");
  return Object.assign(test, {
    options: { kernels, build, zig: () => Promise.resolve(zig) },
    makeZig,
    calls: async () => (await Deno.readTextFile(`${test.folder}/calls`)).trim().split("\n").length,
  });
}

Deno.test({ ignore, name: "ensureLibrary() builds when the sources changed and only then" }, async () => {
  await using test = await setUpBuild();
  const library = await ensureLibrary(test.options);
  assertEquals(library, libraryPath(test.options.build));
  assertEquals(await Deno.readTextFile(library), "first\n");
  await ensureLibrary({ ...test.options, zig: () => Promise.reject(new Error("not needed")) });
  assertEquals(await test.calls(), 1);
  await Deno.writeTextFile(`${test.options.kernels}/src/new.zig`, "two");
  await test.makeZig("second");
  assertEquals(await Deno.readTextFile(await ensureLibrary(test.options)), "second\n");
  assertEquals(await test.calls(), 2);
});

Deno.test(
  { ignore, name: "ensureLibrary() reads sources again that look otherwise, and builds if they are" },
  async () => {
    await using test = await setUpBuild();
    const source = `${test.options.kernels}/build.zig`;
    await ensureLibrary(test.options);
    await Deno.utime(source, 1000, 1000);
    await ensureLibrary(test.options);
    assertEquals(await test.calls(), 1);
    const stamp = await Deno.readTextFile(`${test.options.build}/library.sha256`);
    await Deno.utime(source, 2000, 2000);
    await ensureLibrary(test.options);
    assertNotEquals(await Deno.readTextFile(`${test.options.build}/library.sha256`), stamp, "seen anew");
    await Deno.writeTextFile(source, "two"); // as long as before
    await Deno.utime(source, 3000, 3000);
    await ensureLibrary(test.options);
    assertEquals(await test.calls(), 2);
  },
);

Deno.test({ ignore, name: "ensureLibrary() leaves the old library alone when the build fails" }, async () => {
  await using test = await setUpBuild();
  const library = await ensureLibrary(test.options);
  await Deno.writeTextFile(`${test.options.kernels}/build.zig`, "broken");
  await test.makeZig("damaged", 1);
  const error = await assertRejects(() => ensureLibrary(test.options), BuildError);
  assertStringIncludes(error.message, "the compiler speaks");
  assertEquals(await Deno.readTextFile(library), "first\n");
  // The stamp still belongs to the old sources: the next call builds again.
  await test.makeZig("mended");
  assertEquals(await Deno.readTextFile(await ensureLibrary(test.options)), "mended\n");
});

Deno.test({ ignore, name: "ensureLibrary() builds once for concurrent callers" }, async () => {
  await using test = await setUpBuild();
  await Promise.all([1, 2, 3].map(() => ensureLibrary(test.options)));
  assertEquals(await test.calls(), 1);
});

Deno.test("sourceHash() depends on names and contents of Zig files alone", async () => {
  await using test = await setUp();
  const file = (name: string, content: string) => Deno.writeTextFile(`${test.folder}/${name}`, content);
  const hashes = new Set<string>();
  const differs = async () => {
    const hash = await sourceHash(test.folder);
    const isNew = !hashes.has(hash);
    hashes.add(hash);
    return isNew;
  };
  await file("a.zig", "x");
  assert(await differs());
  await file("README.md", "text");
  assert(!await differs());
  await file("b.zig", "");
  assert(await differs());
  await file("a.zig", "y");
  assert(await differs());
  await Deno.rename(`${test.folder}/b.zig`, `${test.folder}/c.zig`);
  assert(await differs());
});
