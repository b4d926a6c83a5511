/** The packages, installed from registries on this machine into empty projects. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { stdFlags } from "../src/setup/import_map.ts";
import { ROOT } from "../src/setup/paths.ts";
import { capture, type Captured } from "../src/setup/process.ts";
import { platformOf } from "../src/ffi/platform.ts";
import { JsrStub, standIns } from "./jsr_stub.ts";
import { npmModules } from "./support/npm.ts";
import { NpmRegistry } from "./support/npm_registry.ts";
import { testWithPrograms } from "./support/optional.ts";

const PROGRAM = "main.ts";
/** What README's program needs. */
const PERMISSIONS = ["--no-prompt", "--allow-read", "--allow-ffi", "--allow-env=KUMI_LIBRARY,KUMI_ISA"];

/** The program under README's heading "In a program". */
async function readmeProgram(): Promise<string> {
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  const [, program] = /## In a program\n+```ts\n(.*?)```/s.exec(readme) ?? [];
  assert(program?.includes('from "@kumi/kumi"') && program.trim().split("\n").length <= 7, program);
  return program;
}

/** A platform in npm's words. */
interface Foreign {
  readonly id: string;
  readonly os: string;
  readonly libc: string;
}

/** Folders of a test, and the packages of this platform in them. */
class Packed implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async create(): Promise<Packed> {
    const packed = new Packed(await Deno.makeTempDir({ prefix: "kumi-pack-" }));
    const flags = [`--config=${ROOT}/deno.json`, ...stdFlags("local")];
    const script = `${ROOT}/src/setup/pack/main.ts`;
    const command = [Deno.execPath(), "run", "--allow-all", ...flags, script];
    const done = await capture([...command, "--this-platform", "--out", packed.path("pack")]);
    if (done?.code !== 0) {
      await packed[Symbol.asyncDispose]();
      throw new Error(done?.stderr);
    }
    return packed;
  }

  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  /**
   * Adds a package of another platform, as a complete release has: the metadata is ours, the library a dummy.
   */
  async addForeign({ id, os, libc }: Foreign): Promise<void> {
    const own = platformOf();
    assert(own !== undefined);
    const [from, to] = [own.id, id].map((each) => this.path(`pack/npm/kumi-${each}`));
    await Deno.mkdir(to);
    const manifest = JSON.parse(await Deno.readTextFile(`${from}/package.json`));
    const name = `@kumi/kumi-${id}`;
    await Deno.writeTextFile(
      `${to}/package.json`,
      JSON.stringify({ ...manifest, name, os: [os], libc: [libc] }),
    );
    const main = this.path("pack/npm/kumi/package.json");
    const kumi = JSON.parse(await Deno.readTextFile(main));
    kumi.optionalDependencies[name] = kumi.version;
    await Deno.writeTextFile(main, JSON.stringify(kumi));
  }

  /** Starts npm's registry with kumi in it. */
  async npmRegistry(): Promise<NpmRegistry> {
    const folders = Array.from(
      Deno.readDirSync(this.path("pack/npm")),
      ({ name }) => this.path(`pack/npm/${name}`),
    );
    await Deno.mkdir(this.path("tarballs"), { recursive: true });
    return await NpmRegistry.start(folders, this.path("tarballs"));
  }

  /** An empty project whose scope @kumi comes from `registry`, with a cache of its own. */
  async project(name: string, registry: NpmRegistry, env: Record<string, string> = {}): Promise<Project> {
    const folder = this.path(name);
    await Deno.mkdir(folder);
    await Deno.writeTextFile(`${folder}/.npmrc`, `@kumi:registry=${registry.url}\n`);
    return new Project(folder, {
      DENO_DIR: this.path(`${name}-cache`),
      NO_COLOR: "1",
      KUMI_LIBRARY: "",
      ...env,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

class Project {
  constructor(readonly folder: string, readonly env: Record<string, string>) {}

  async deno(...args: string[]): Promise<Captured> {
    const result = await capture([Deno.execPath(), ...args], { cwd: this.folder, env: this.env });
    assert(result !== null);
    return result;
  }

  async write(name: string, text: string): Promise<void> {
    await Deno.writeTextFile(`${this.folder}/${name}`, text);
  }
}

function assertAnswer({ code, stdout, stderr }: Captured): void {
  assertEquals(code, 0, stderr);
  assertMatch(stdout, /cache/i);
  assert(stdout.trim().length > 20, stdout);
}

/** The same program with its engine in a process of its own: the engine opens the library, not the program. */
async function assertIsolated(project: Project): Promise<void> {
  const program = (await readmeProgram()).replace(
    'loadModel("demo"',
    'loadModel("demo", { isolation: "process" }',
  );
  assertMatch(program, /isolation/);
  await project.write("isolated.ts", program);
  const permissions = PERMISSIONS.filter((flag) => flag !== "--allow-ffi");
  const run = `--allow-run=${Deno.execPath()}`;
  assertAnswer(await project.deno("run", ...permissions, run, "isolated.ts"));
}

// `deno add` in an empty project asks npm's registry for what kumi needs.
const NO_REGISTRY = await npmModules("typescript@5.9.3") === null
  ? "npm's registry cannot be reached"
  : undefined;

testWithPrograms(
  "the packages for npm and JSR run README's program in an empty project",
  ["npm"],
  (_, t) => testPackages(t),
  NO_REGISTRY,
);

async function testPackages(t: Deno.TestContext): Promise<void> {
  await using packed = await Packed.create();
  const otherSystem = Deno.build.os === "linux" ? "win32" : "linux";
  await packed.addForeign({ id: "elsewhere", os: otherSystem, libc: "glibc" });
  await using npm = await packed.npmRegistry();
  const program = await readmeProgram();

  await t.step("npm", async () => {
    const project = await packed.project("npm", npm);
    const added = await project.deno("add", "npm:@kumi/kumi");
    assertEquals(added.code, 0, added.stderr);
    await project.write(PROGRAM, program);
    assertAnswer(await project.deno("run", ...PERMISSIONS, PROGRAM));
    // Only this platform's library was downloaded.
    const libraries = npm.requested.filter((path) => /kumi-kumi-.*-.*\.tgz$/.test(path));
    assertEquals(libraries.length, 1, libraries.join());
    assert(libraries[0].includes(platformOf()!.id), libraries[0]);
    // Types come with it: the program is right, and a mistake is found.
    const run = ["npm:@kumi/kumi", "run", "What is a KV cache?", "--temperature", "0"];
    assertAnswer(await project.deno("run", "--allow-all", ...run));
    const served = await project.deno("run", "--allow-all", "npm:@kumi/kumi", "serve", "--print-permissions");
    assertMatch(served.stdout, /^--no-prompt --allow-net=127\.0\.0\.1 /, served.stderr);
    await assertIsolated(project);
    const checked = await project.deno("check", PROGRAM);
    assertEquals(checked.code, 0, checked.stderr);
    await project.write(
      "ai.ts",
      'import { createKumi } from "@kumi/kumi/ai-sdk";\nconsole.log(createKumi({}).specificationVersion);\n',
    );
    const provider = await project.deno("run", "--check", ...PERMISSIONS, "ai.ts");
    assertEquals(provider.stdout, "v4\n", provider.stderr);
    await project.write("wrong.ts", 'import { loadModel } from "@kumi/kumi";\nawait loadModel(1);\n');
    const wrong = await project.deno("check", "wrong.ts");
    assertMatch(wrong.stderr, /'number' is not assignable to parameter of type 'string \| URL'/);
  });

  await t.step("npm, with a node_modules folder", async () => {
    const project = await packed.project("modules", npm);
    await project.write("package.json", "{}");
    await project.write("deno.json", '{ "nodeModulesDir": "auto" }');
    const added = await project.deno("add", "npm:@kumi/kumi");
    assertEquals(added.code, 0, added.stderr);
    await project.write(PROGRAM, program);
    assertAnswer(await project.deno("run", ...PERMISSIONS, PROGRAM));
    await assertIsolated(project);
    const page = await Deno.stat(`${project.folder}/node_modules/@kumi/kumi/docs/server.md`);
    assert(page.isFile, "README's pages come with it");
  });

  await t.step("JSR", async () => {
    const folder = packed.path("pack/jsr");
    await using std = await JsrStub.start();
    const check = await packed.project("publish", npm, { JSR_URL: std.url });
    const dry = await capture([Deno.execPath(), "publish", "--dry-run", "--allow-dirty"], {
      cwd: folder,
      env: check.env,
    });
    assertEquals(dry?.code, 0, dry?.stderr);
    // What is loaded later is named by its own URL: there is nothing in it that publishing could rewrite.
    const later = /warning\[unanalyzable-dynamic-import\][^]*?src\/process\/later\.ts:[^]*?package\.json\n/;
    const said = dry!.stderr.replace("Checking for slow types", "").replace(later, "");
    assert(!/\bwarning\b|slow type/i.test(said), said);

    const { name, version, exports } = JSON.parse(await Deno.readTextFile(`${folder}/deno.json`));
    const files = new Map<string, string>();
    for (const path of filesIn(folder)) files.set(`/${path}`, await Deno.readTextFile(`${folder}/${path}`));
    await using jsr = await JsrStub.start([{ name, version, exports, files }, ...await standIns()]);
    const project = await packed.project("jsr", npm, { JSR_URL: jsr.url });
    const added = await project.deno("add", `jsr:${name}`);
    assertEquals(added.code, 0, added.stderr);
    await project.write(PROGRAM, program);
    const host = new URL(jsr.url).host; // jsr.io itself is allowed by default
    assertAnswer(await project.deno("run", `--allow-import=${host}`, ...PERMISSIONS, PROGRAM));
    // Not isolated: an engine of a module at a URL reads no .npmrc, and asks the registry where kumi is not published yet.
    const run = [`jsr:${name}/cli`, "run", "What is a KV cache?", "--temperature", "0"];
    assertAnswer(await project.deno("run", "--allow-all", ...run));
    const served = await project.deno(
      "run",
      "--allow-all",
      `jsr:${name}/cli`,
      "serve",
      "--print-permissions",
    );
    assertMatch(served.stdout, /^--no-prompt --allow-net=127\.0\.0\.1 /, served.stderr);
  });
}

function filesIn(folder: string, prefix = ""): string[] {
  return Array.from(Deno.readDirSync(`${folder}/${prefix}`)).flatMap(({ name, isDirectory }) =>
    isDirectory ? filesIn(folder, `${prefix}${name}/`) : [`${prefix}${name}`]
  );
}
