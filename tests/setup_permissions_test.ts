import { assert, assertEquals } from "@std/assert";
import { libraryPath } from "../src/setup/paths.ts";
import { commandPermissions, needsLibrary } from "../src/cli/permissions.ts";

function permissions(args: string[], env: Record<string, string> = {}): string[] {
  const all: Record<string, string> = { KUMI_CACHE: "/cache", ...env };
  return commandPermissions(args, (name) => all[name]);
}

Deno.test("commandPermissions() opens the network for hf: models alone", () => {
  const net = (args: string[], env?: Record<string, string>) =>
    permissions(args, env).filter((flag) => flag.startsWith("--allow-net"));
  assertEquals(net(["chat"]), []);
  assertEquals(net(["run", "tell me about hf: names"]), []);
  const hub = ["--allow-net=huggingface.co,*.huggingface.co,hf.co,*.hf.co"];
  assertEquals(net(["chat", "--model", "hf:o/r/f.gguf"]), hub);
  assertEquals(net(["chat", "--model=hf:o/r/f.gguf"]), hub);
  assertEquals(net(["inspect", "hf:o/r/f.gguf"]), hub);
  assertEquals(net(["chat", "-m", "hf:o/r/f.gguf"], { HF_ENDPOINT: "http://mirror" }), ["--allow-net"]);
});

Deno.test("commandPermissions() lets only quantize write outside the cache", () => {
  assert(permissions(["chat"]).includes("--allow-write=/cache"));
  assert(!permissions(["chat"], { KUMI_CACHE: "" }).some((flag) => flag.startsWith("--allow-write")));
  assert(permissions(["quantize", "a", "b", "q4_0"]).includes("--allow-write"));
});

Deno.test("commandPermissions() lets serve listen where it is told to", () => {
  const net = (args: string[], env?: Record<string, string>) =>
    permissions(["serve", ...args], env).filter((flag) => flag.startsWith("--allow-net"));
  assertEquals(net(["--no-gate"]), ["--allow-net=127.0.0.1:8080"]);
  // Behind its gate it listens on any port of this machine.
  assertEquals(net([]), ["--allow-net=127.0.0.1"]);
  assertEquals(net(["--port=1", "--host", "0.0.0.0"]), ["--allow-net=0.0.0.0:1,127.0.0.1"]);
  assertEquals(net(["-p", "9"], { KUMI_HOST: "h", KUMI_NO_GATE: "1" }), ["--allow-net=h:9"]);
  assertEquals(net(["--port", "0"]), ["--allow-net=127.0.0.1"]);
  const hub = "huggingface.co,*.huggingface.co,hf.co,*.hf.co";
  assertEquals(net([], { KUMI_MODEL: "hf:o/r/f.gguf" }), [`--allow-net=127.0.0.1,${hub}`]);
});

Deno.test("commandPermissions() opens one library", () => {
  assert(permissions(["chat"]).includes(`--allow-ffi=${libraryPath()}`));
  assert(permissions(["chat"], { KUMI_LIBRARY: "/own.so" }).includes("--allow-ffi=/own.so"));
});

Deno.test("commandPermissions() lets only bench --peer run programs", () => {
  const run = (args: string[]) => permissions(args).filter((flag) => flag.startsWith("--allow-run"));
  assertEquals(run(["bench"]), []);
  assertEquals(run(["run", "--peer"]), []);
  assertEquals(run(["bench", "--peer", "llama.cpp"]), ["--allow-run=node,npm"]);
  assertEquals(run(["bench", "--peer=llama.cpp"]), ["--allow-run=node,npm"]);
});

Deno.test("needsLibrary() is true for all commands that may open the library", () => {
  for (
    const args of [[], ["help"], ["chat", "--help"], ["tokenize", "x"], [
      "loadtest",
      "http://h",
    ]]
  ) {
    assert(!needsLibrary(args));
  }
  for (
    const args of [["chat"], ["run", "hi"], ["bench"], ["perplexity"], ["quantize"], ["inspect", "f"], [
      "inspect",
      "--cpu",
    ]]
  ) {
    assert(needsLibrary(args));
  }
});

Deno.test("commandPermissions() lets loadtest reach its server alone and write its picture alone", () => {
  const open = (args: string[]) =>
    permissions(["loadtest", ...args]).filter((flag) => /^--allow-(?:net|write|run)/.test(flag));
  assertEquals(open(["http://127.0.0.1:8080/v1", "--rate", "2"]), ["--allow-net=127.0.0.1:8080"]);
  assertEquals(open(["--svg", "a.svg", "https://host"]), ["--allow-write=a.svg", "--allow-net=host:443"]);
  assertEquals(open(["http://[::1]:9", "--svg=b.svg"]), ["--allow-write=b.svg", "--allow-net=[::1]:9"]);
  assertEquals(open(["--help"]), []);
});

Deno.test("commandPermissions() lets serve listen at its address, whatever other settings there are", () => {
  const net = (...args: string[]) =>
    commandPermissions(["serve", ...args], () => undefined).filter((flag) => flag.startsWith("--allow-net"));
  assertEquals(net("--no-gate", "-p", "82"), ["--allow-net=127.0.0.1:82"]);
  assertEquals(net("--insecure", "--access-log", "-p", "81", "--host", "0.0.0.0"), [
    "--allow-net=0.0.0.0:81,127.0.0.1",
  ]);
  assertEquals(net("--prefault", "--port=0"), ["--allow-net=127.0.0.1"]);
});
