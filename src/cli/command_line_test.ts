import { assert, assertEquals } from "@std/assert";
import { loadedModules } from "../../tests/support/loaded_modules.ts";
import { libraryFile } from "../ffi/native_files.ts";
import { PYTHONS } from "../process/python.ts";
import { commandAccess, commandPermissions, readCommandLine } from "./command_line.ts";
import { type CommandName, COMMANDS } from "./commands.ts";

/** The flags of a command line that begin so. */
async function flags(start: string, args: string[], env: Record<string, string> = {}): Promise<string[]> {
  const all: Record<string, string> = { KUMI_CACHE: "/cache", ...env };
  const permissions = await commandPermissions(args, (name) => all[name]);
  return permissions.filter((flag) => flag.startsWith(start));
}

async function opensLibrary(args: string[]): Promise<boolean> {
  return (await commandAccess(args, () => undefined)).library === true;
}

Deno.test("commandPermissions() opens the network for hf: models alone", async () => {
  const net = (args: string[], env?: Record<string, string>) => flags("--allow-net", args, env);
  assertEquals(await net(["chat"]), []);
  assertEquals(await net(["run", "tell me about hf: names"]), []);
  assertEquals(await net(["run", "hf:o/r/f.gguf"]), [], "a prompt is no model");
  const hub = ["--allow-net=huggingface.co,*.huggingface.co,hf.co,*.hf.co"];
  assertEquals(await net(["chat", "--model", "hf:o/r/f.gguf"]), hub);
  assertEquals(await net(["chat", "--model=hf:o/r/f.gguf"]), hub);
  assertEquals(await net(["chat", "--draft=hf:o/r/f.gguf"]), hub);
  for (
    const args of [
      ["inspect", "hf:o/r/f.gguf"],
      ["inspect", "-m", "hf:o/r/f.gguf"],
      [
        "perplexity",
        "hf:o/r/f.gguf",
        "t",
      ],
      ["quantize", "hf:o/r/f.gguf", "o", "q8_0"],
      ["tokenize", "-m", "hf:o/r/f.gguf", "x"],
      [
        "bench",
        "-m",
        "hf:o/r/f.gguf",
      ],
    ]
  ) assertEquals(await net(args), hub, `${args}`);
  assertEquals(await net(["chat", "-m", "hf:o/r/f.gguf"], { HF_ENDPOINT: "http://mirror" }), ["--allow-net"]);
});

Deno.test("commandPermissions() lets only what writes models and answers write outside the cache", async () => {
  assertEquals(await flags("--allow-write", ["chat"]), ["--allow-write=/cache"]);
  assertEquals(await flags("--allow-write", ["chat"], { KUMI_CACHE: "" }), []);
  assertEquals(await flags("--allow-write", ["quantize", "a", "b", "q4_0"]), ["--allow-write"]);
  assertEquals(await flags("--allow-write", ["batch", "a", "b"]), ["--allow-write"]);
  assertEquals(await flags("--allow-net", ["batch", "a", "b"]), []);
});

Deno.test("commandPermissions() lets keygen write its two files, verify nothing, and serve what it keeps", async () => {
  assertEquals(await flags("--allow-write", ["keygen", "a.key"]), ["--allow-write=a.key,a.key.pub"]);
  assertEquals(await flags("--allow-net", ["keygen", "a.key"]), []);
  assertEquals([await opensLibrary(["keygen", "a"]), await opensLibrary(["verify", "r"])], [false, true]);
  assertEquals(await flags("--allow-write", ["verify", "r", "-m", "model.gguf"]), ["--allow-write=/cache"]);
  assertEquals(await flags("--allow-net", ["verify", "r", "-m", "model.gguf"]), []);
  assertEquals(await flags("--allow-write", ["serve", "--audit", "a", "--prefix-store", "p"]), [
    "--allow-write=/cache,a,p",
  ]);
});

Deno.test("commandPermissions() lets compare write its picture alone, and download either model", async () => {
  assertEquals(await flags("--allow-write", ["compare", "a", "b", "t"]), ["--allow-write=/cache"]);
  assertEquals(await flags("--allow-write", ["compare", "a", "b", "t", "--plot", "p.svg"]), [
    "--allow-write",
  ]);
  const hub = ["--allow-net=huggingface.co,*.huggingface.co,hf.co,*.hf.co"];
  assertEquals(await flags("--allow-net", ["compare", "a", "hf:o/r/f.gguf", "t"]), hub);
  assertEquals(await flags("--allow-write", ["imatrix", "a", "t"]), ["--allow-write"]);
});

Deno.test("commandPermissions() lets serve listen where it is told to", async () => {
  const net = (args: string[], env?: Record<string, string>) => flags("--allow-net", ["serve", ...args], env);
  assertEquals(await net(["--no-gate"]), ["--allow-net=127.0.0.1:8080"]);
  // Behind its gate it listens on any port of this machine.
  assertEquals(await net([]), ["--allow-net=127.0.0.1"]);
  assertEquals(await net(["--port=1", "--host", "0.0.0.0"]), ["--allow-net=0.0.0.0:1,127.0.0.1"]);
  assertEquals(await net(["-p", "9"], { KUMI_HOST: "h", KUMI_NO_GATE: "1" }), ["--allow-net=h:9"]);
  assertEquals(await net(["-p9", "--no-gate"]), ["--allow-net=127.0.0.1:9"]);
  assertEquals(await net(["--port", "0"]), ["--allow-net=127.0.0.1"]);
  assertEquals(await net(["--no-gate", "-p", "82"]), ["--allow-net=127.0.0.1:82"]);
  assertEquals(await net(["--insecure", "--access-log", "-p", "81", "--host", "0.0.0.0"]), [
    "--allow-net=0.0.0.0:81,127.0.0.1",
  ]);
  const hub = "huggingface.co,*.huggingface.co,hf.co,*.hf.co";
  assertEquals(await net([], { KUMI_MODEL: "hf:o/r/f.gguf" }), [`--allow-net=127.0.0.1,${hub}`]);
  assertEquals(await net([], { KUMI_DRAFT: "hf:o/r/f.gguf" }), [`--allow-net=127.0.0.1,${hub}`]);
});

Deno.test("commandPermissions() lets report write its page and nothing else", async () => {
  const open = async (args: string[]) =>
    (await flags("--allow-", ["report", ...args])).filter((flag) => !/^--allow-(read|sys|env)/.test(flag));
  assertEquals(await open(["a/report.json"]), ["--allow-write=a/report.html"]);
  assertEquals(await open(["a.json", "--prices", "b", "--lang", "ja", "-o", "c"]), ["--allow-write=c"]);
});

Deno.test("commandPermissions() lets traffic and recordings be written where they are told to", async () => {
  const write = (args: string[], env?: Record<string, string>) => flags("--allow-write", args, env);
  assertEquals(await write(["traffic", "describe", "a"]), []);
  assertEquals(await write(["traffic", "import", "a", "-o", "b"]), ["--allow-write=b"]);
  assertEquals(await write(["traffic", "describe", "a", "--svg=c", "--html", "d"]), ["--allow-write=c,d"]);
  assertEquals(await write(["serve", "--record", "r"]), ["--allow-write=/cache,r,r.1"]);
  assertEquals(await write(["serve"], { KUMI_RECORD: "r" }), ["--allow-write=/cache,r,r.1"]);
});

Deno.test("commandPermissions() lets a supervising server start Deno, which opens the library in its place", async () => {
  const asked: [string[], Record<string, string>][] = [[["--supervise"], {}], [[], { KUMI_SUPERVISE: "1" }]];
  for (const [given, env] of asked) {
    const args = ["serve", "--no-ui", ...given];
    assertEquals(await flags("--allow-ffi", args, env), []);
    assertEquals(await flags("--allow-run", args, env), [`--allow-run=${Deno.execPath()}`]);
    // It is built first all the same.
    assert(await opensLibrary(args));
  }
  assertEquals(await flags("--allow-run", ["serve", "--no-ui"]), []);
  assertEquals((await flags("--allow-ffi", ["serve", "--no-ui"])).length, 1);
});

Deno.test("commandAccess() reads a server's configuration file where its user stands", async () => {
  const folder = await Deno.makeTempDir({ prefix: "kumi-access-" });
  try {
    const config = { host: "127.0.0.2", port: 7, noGate: true, exitWithParent: true };
    await Deno.writeTextFile(`${folder}/kumi.json`, JSON.stringify(config));
    const env = (name: string) => name === "INIT_CWD" ? folder : undefined;
    const { net, endsWithParent } = await commandAccess(["serve", "--config", "kumi.json"], env);
    assertEquals(net, ["127.0.0.2:7"]);
    assertEquals(endsWithParent, Deno.build.os !== "windows");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("commandPermissions() opens one library", async () => {
  assertEquals(await flags("--allow-ffi", ["chat"]), [`--allow-ffi=${libraryFile()}`]);
  assertEquals(await flags("--allow-ffi", ["chat"], { KUMI_LIBRARY: "/own.so" }), ["--allow-ffi=/own.so"]);
});

Deno.test("commandPermissions() lets a model with a name use the hub and pip, and nothing else do", async () => {
  const bin = await Deno.makeTempDir({ prefix: "kumi-bin-" });
  try {
    const [python] = PYTHONS.at(-1)!;
    await Deno.writeTextFile(`${bin}/${python}${Deno.build.os === "windows" ? ".exe" : ""}`, "", {
      mode: 0o755,
    });
    const env = (PATH: string) => (name: string) =>
      ({ PATH, KUMI_CACHE: "/cache" } as Record<string, string>)[name];
    const named = [
      ["chat", "-m", "smollm2"],
      ["run", "--model=smollm2", "x"],
      ["serve", "-m", "smollm2"],
      ["inspect", "smollm2"],
      ["bench", "-m", "smollm2"],
      ["convert", "smollm2", "out"],
      ["tokenize", "-m", "smollm2", "x"],
    ];
    for (const args of named) {
      const { hub, run, write } = await commandAccess(args, env(bin));
      assertEquals(
        [hub, run, write],
        [true, [python], args[0] === "convert" ? "anywhere" : ["/cache"]],
        `${args}`,
      );
      assertEquals((await commandAccess(args, env("/nowhere"))).run, [], `${args}: there is no Python`);
    }
    for (
      const args of [["chat"], ["run", "smollm2"], ["chat", "-m", "./smollm2"], ["chat", "-m", "hf:o/r"]]
    ) {
      const { hub, run } = await commandAccess(args, env(bin));
      assertEquals([hub, run], [args.includes("hf:o/r"), []], `${args}`);
    }
    const bench = async (...args: string[]) => (await commandAccess(["bench", ...args], env(bin))).run;
    assertEquals(await bench("-m", "smollm2", "--peer", "llama.cpp"), [python, "node", "npm"]);
    assertEquals(await bench("-m", "smollm2", "--peer", "mistralrs"), [python]);
    assertEquals(await bench("--peer", "openvino-genai"), [python]);
    assertEquals(await bench("--peer-path", "/ik"), [python, "cc"]);
  } finally {
    await Deno.remove(bin, { recursive: true });
  }
});

Deno.test("commandPermissions() lets only bench --peer run programs", async () => {
  const run = (args: string[]) => flags("--allow-run", args);
  assertEquals(await run(["bench"]), []);
  assertEquals(await run(["run", "--peer"]), []);
  assertEquals(await run(["run", "--", "--peer"]), []);
  assertEquals(await run(["bench", "--peer", "llama.cpp"]), ["--allow-run=node,npm"]);
  assertEquals(await run(["bench", "--peer=llama.cpp"]), ["--allow-run=node,npm"]);
  assertEquals(await run(["bench", "--peer", "openvino"]), []);
});

Deno.test("commandAccess() asks for the library where a command may open it, and nowhere else", async () => {
  for (
    const args of [
      [],
      ["help"],
      ["help", "chat"],
      ["--version"],
      ["chat", "--help"],
      ["tokenize", "x"],
      [
        "loadtest",
        "http://h",
      ],
      ["serve", "--print-permissions"],
      ["serve", "--print-schema"],
    ]
  ) assert(!await opensLibrary(args), `${args}`);
  for (
    const args of [
      ["chat"],
      ["run", "hi"],
      ["run", "--", "--help"],
      ["bench"],
      ["perplexity", "f", "t"],
      ["compare", "a", "b", "t"],
      ["imatrix", "f", "t"],
      [
        "quantize",
        "a",
        "b",
        "q8_0",
      ],
      ["inspect", "f"],
      ["inspect", "--cpu"],
      ["serve"],
    ]
  ) assert(await opensLibrary(args), `${args}`);
});

Deno.test("commandAccess() lets a mistake touch nothing: it builds no library to say so", async () => {
  for (
    const args of [
      ["frobnicate"],
      ["chat", "--frobnicate"],
      ["chat", "--model"],
      ["quantize", "a"],
      [
        "serve",
        "--port",
        "many",
      ],
      ["serve", "--config", "/nowhere.json"],
      ["perplexity"],
      ["help", "frobnicate"],
    ]
  ) assertEquals(await commandAccess(args, () => undefined), {}, `${args}`);
});

Deno.test("commandPermissions() lets loadtest reach its server alone and write its picture alone", async () => {
  const open = async (args: string[]) =>
    (await flags("--allow-", ["loadtest", ...args])).filter((flag) =>
      /^--allow-(?:net|write|run)/.test(flag)
    );
  assertEquals(await open(["http://127.0.0.1:8080/v1", "--rate", "2"]), ["--allow-net=127.0.0.1:8080"]);
  assertEquals(await open(["--svg", "a.svg", "https://host"]), [
    "--allow-write=a.svg",
    "--allow-net=host:443",
  ]);
  assertEquals(await open(["http://[::1]:9", "--svg=b.svg"]), ["--allow-write=b.svg", "--allow-net=[::1]:9"]);
  assertEquals(await open(["ftp://h"]), []);
  assertEquals(await open(["--help"]), []);
});

Deno.test("commandPermissions() lets trial start servers, write its folder and reach one other endpoint", async () => {
  const open = async (args: string[]) =>
    (await flags("--allow-", ["trial", ...args])).filter((flag) =>
      /^--allow-(?:net|write|run|ffi)/.test(flag)
    );
  assertEquals(await open(["--out", "/tmp/t"]), [
    `--allow-ffi=${libraryFile()}`,
    "--allow-write=/cache,/tmp/t",
    "--allow-net=127.0.0.1",
    `--allow-run=${Deno.execPath()},getconf`,
  ]);
  const against = await open(["--out", "/tmp/t", "--against", "https://llm.example/v1"]);
  assertEquals(against[2], "--allow-net=127.0.0.1,llm.example:443");
  assertEquals(await open(["--profil", "chat"]), []);
});

Deno.test("readCommandLine() finds every command by its name", async () => {
  for (const name of Object.keys(COMMANDS) as CommandName[]) {
    assertEquals((await COMMANDS[name]()).name, name);
    assertEquals(readCommandLine([name, "x"]), { asks: "command", command: name, words: ["x"] });
    assertEquals(readCommandLine(["help", name]), { asks: "help", topic: name });
    assertEquals(readCommandLine([name, "-h"]), { asks: "help", topic: name });
  }
  assertEquals(readCommandLine(["toString"]), { asks: "unknown", name: "toString" });
});

Deno.test("asking a command what it may touch needs neither models nor a server nor JSR", async () => {
  const commands = Object.keys(COMMANDS).map((name) => `./commands/${name}.ts`);
  let largest = 0;
  for (const path of ["./command_line.ts", ...commands]) {
    const entry = new URL(path, import.meta.url);
    const loaded = await loadedModules(entry);
    const rooms =
      "client/|engine/|runner/|models/(?!shapes.ts|\\w+_shapes.ts|shape_keys.ts)|layers/|loadtest/|cli/actions|server/routes/";
    const heavy = [...loaded].filter((module) =>
      /^package:(?!node:)/.test(module) || new RegExp(`/src/(?:${rooms})`).test(module)
    );
    assertEquals(heavy, [], path);
    assert(loaded.size < 100, `${path}: ${loaded.size} modules`);
    largest = Math.max(largest, loaded.size);
    // Deno looks for those, too, that may be imported later, and JSR is not everywhere.
    const later = [...await loadedModules(entry, { later: true })];
    assertEquals(later.filter((module) => /^package:@std|cli\/actions/.test(module)), [], path);
  }
  assert(largest > 30, `the search finds what there is to find: ${largest} modules`);
});

Deno.test("a command line reads only the modules of its own command", async () => {
  const loaded = [...await loadedModules(new URL("./main.ts", import.meta.url))];
  assertEquals(loaded.filter((module) => /\/cli\/(?:commands|actions)\//.test(module)), []);
  const text = await Deno.readTextFile(new URL("./actions.ts", import.meta.url));
  assertEquals(/^[^*]*\bawait import\("/m.test(text), false, "Deno reads what an import names at once");
});
