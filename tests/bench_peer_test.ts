/** `kumi bench --peer` and `--peer-path`, where an earlier run has installed the peer. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { PeerError } from "../src/cli/bench/peer/error.ts";
import { Peer } from "../src/cli/bench/peer/peer.ts";
import {
  IK_LLAMA_CPP,
  INSTALLED_PEERS,
  LLAMA_CPP,
  type PeerProgram,
} from "../src/cli/bench/peer/programs.ts";
import { Kernels } from "../src/ffi/context.ts";
import { quantizeFile, targetNames } from "../src/gguf/mod.ts";
import { cacheFolders } from "../src/cli/access.ts";
import { namedPath } from "../src/hub/cache.ts";
import { namedModel } from "../src/hub/named_models.ts";
import { pythonPrograms } from "../src/process/python.ts";
import { chooseStd, stdFlags } from "../src/setup/import_map.ts";
import { ROOT } from "../src/setup/paths.ts";
import { commandPermissions } from "../src/cli/command_line.ts";
import { TemporaryFolder } from "./support/models.ts";
import { testWithPrograms } from "./support/optional.ts";

function missing({ name, package: installed }: PeerProgram): string | undefined {
  if (isFile(`${cacheFolderOrNone()}/peer/${installed}/installed`)) return undefined;
  return `${installed} is not installed (kumi bench --peer ${name})`;
}

function cacheFolderOrNone(): string {
  return cacheFolders()[0] ?? "/nowhere";
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

const NO_PEER = missing(LLAMA_CPP);

/** The lines of `kumi bench --json`, run with a command's own permissions. */
async function bench(args: string[]) {
  const all = ["bench", ...args, "--repeat", "1", "--json"];
  const flags = ["--quiet", ...stdFlags(await chooseStd()), ...await commandPermissions(all)];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, "src/cli/main.ts", ...all],
    cwd: ROOT,
  }).output();
  const lines = () => new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
  return { success, stderr: new TextDecoder().decode(stderr), lines };
}

testWithPrograms("kumi bench --peer measures both sides of every case", ["node"], async () => {
  using folder = new TemporaryFolder();
  const model = await folder.randomModel("llama-tiny", "q8_0");
  const cases = ["--pp", "32", "--tg", "4", "--batch", "1,3", "--depth", "0,20"];
  const { success, stderr, lines } = await bench(["--model", model, ...cases, "--peer", "llama.cpp"]);
  assert(success, stderr);
  assertEquals(lines().length, 6);
  for (const { peer, peerMode, tokensPerSecond, peerTokensPerSecond, ratio, peerSeconds } of lines()) {
    assertEquals(peer, "llama.cpp");
    assertStringIncludes(peerMode, "flash attention o");
    assertEquals(peerSeconds.length, 1);
    assert(Math.abs(tokensPerSecond / peerTokensPerSecond / ratio - 1) < 1e-6);
  }
}, NO_PEER);

const NO_PYTHON = pythonPrograms().length === 0 ? "no Python" : undefined;

/** SmolLM2, which every peer reads. */
const REAL_MODEL = namedPath(cacheFolderOrNone(), namedModel("smollm2")!);
const NO_MODEL = isFile(REAL_MODEL) ? undefined : "no smollm2 (kumi pull smollm2)";

for (const program of INSTALLED_PEERS.filter(({ isPython }) => isPython)) {
  const name = `kumi bench --peer ${program.name} measures a real model`;
  testWithPrograms(name, [], async () => {
    const args = ["--model", REAL_MODEL, "--kv", "f16", "--pp", "32", "--tg", "4", "--peer", program.name];
    const { success, stderr, lines } = await bench(args);
    assert(success, stderr);
    assertEquals(lines().map(({ peer, test }) => [peer, test]), [
      [program.name, "prefill"],
      [program.name, "decode"],
    ]);
    assert(lines().every(({ peerTokensPerSecond }) => peerTokensPerSecond > 0));
  }, missing(program) ?? NO_PYTHON ?? NO_MODEL);

  testWithPrograms(`Peer says what ${program.name} cannot read`, [], async () => {
    using folder = new TemporaryFolder();
    const path = `${folder.path}/no-model.gguf`;
    await Deno.writeTextFile(path, "no model");
    await using peer = await Peer.start({ program });
    await peer.load(path);
    const error = await assertRejects(() => peer.open({ threads: 1, context: 64 }));
    assertStringIncludes(`${error}`, `${program.name}: it cannot read ${path}`);
  }, missing(program) ?? NO_PYTHON);
}

const CHECKOUT = Deno.env.get("KUMI_IK_LLAMA_CPP");
testWithPrograms("kumi bench --peer-path measures an ik_llama.cpp that somebody has built", [], async () => {
  using folder = new TemporaryFolder();
  const model = await folder.randomModel("llama-tiny", "q8_0");
  const cases = ["--pp", "32", "--tg", "4", "--batch", "1,3", "--depth", "0,20", "--kv", "q8_0"];
  const { success, stderr, lines } = await bench(["--model", model, ...cases, "--peer-path", CHECKOUT!]);
  assert(success, stderr);
  assertEquals(lines().length, 6);
  for (const { peer, peerMode, peerTokensPerSecond } of lines()) {
    assertEquals(peer, IK_LLAMA_CPP.name);
    assertStringIncludes(peerMode, "-rtr");
    assert(peerTokensPerSecond > 0);
  }
}, CHECKOUT === undefined ? "KUMI_IK_LLAMA_CPP is no built checkout" : NO_PYTHON);

testWithPrograms("Peer.start() says what a folder lacks that is no built ik_llama.cpp", [], async () => {
  using folder = new TemporaryFolder();
  const start = (checkout: string) =>
    assertRejects(() => Peer.start({ program: IK_LLAMA_CPP, checkout }), PeerError);
  assertStringIncludes((await start(`${folder.path}/none`)).message, "there is no folder");
  assertStringIncludes((await start(folder.path)).message, "has no include/llama.h");
  await Deno.mkdir(`${folder.path}/include`);
  await Deno.writeTextFile(`${folder.path}/include/llama.h`, "");
  assertStringIncludes((await start(folder.path)).message, "cmake --build build");
}, NO_PYTHON);

testWithPrograms("Peer reports what llama.cpp refuses", ["node"], async () => {
  await using peer = await Peer.start();
  const refusal = await peer.load("/nowhere.gguf").then(() => "", (error) => String(error));
  assert(refusal.includes("llama.cpp"), refusal);
}, NO_PEER);

testWithPrograms("llama.cpp loads what kumi quantize writes, in every mix and format", ["node"], async () => {
  using folder = new TemporaryFolder();
  using kernels = Kernels.open({ threads: 1, workspaceBytes: 64 });
  const model = await folder.randomModel("llama-tiny", "f16");
  await using peer = await Peer.start();
  for (const format of targetNames) {
    const path = `${folder.path}/${format}.gguf`;
    await quantizeFile(model, path, format, { kernels });
    await peer.load(path);
    await peer.open({ threads: 1, context: 64, kv: "f16" });
    const { logprob } = await peer.score([1, 2, 3, 4, 5]);
    assertEquals(logprob.length, 4, format);
    assert(logprob.every((value) => Number.isFinite(value) && value < 0), `${format}: ${logprob}`);
  }
}, NO_PEER);
