/** `kumi bench --peer llama.cpp`, where an earlier run has installed the peer. */

import { assert, assertEquals } from "@std/assert";
import { PEER_PACKAGE } from "../src/cli/bench/peer/install.ts";
import { Peer } from "../src/cli/bench/peer/peer.ts";
import { Kernels } from "../src/ffi/context.ts";
import { quantizeFile, targetNames } from "../src/gguf/mod.ts";
import { cacheFolder } from "../src/hub/cache.ts";
import { chooseStd, stdFlags } from "../src/setup/import_map.ts";
import { ROOT } from "../src/setup/paths.ts";
import { commandPermissions } from "../src/cli/command_line.ts";
import { TemporaryFolder } from "./support/models.ts";
import { testWithPrograms } from "./support/optional.ts";

const NO_PEER = isInstalled() ? undefined : `${PEER_PACKAGE} is not installed (kumi bench --peer llama.cpp)`;

function isInstalled(): boolean {
  try {
    return Deno.statSync(`${cacheFolder()}/peer/${PEER_PACKAGE}/installed`).isFile;
  } catch {
    return false; // also where there is no HOME
  }
}

testWithPrograms("kumi bench --peer measures both sides of every case", ["node"], async () => {
  using folder = new TemporaryFolder();
  const model = await folder.randomModel("llama-tiny", "q8_0");
  const args = ["bench", "--model", model, "--pp", "32", "--tg", "4", "--batch", "1,3", "--depth", "0,20"];
  args.push("--repeat", "1", "--peer", "llama.cpp", "--json");
  const flags = ["--quiet", ...stdFlags(await chooseStd()), ...await commandPermissions(args)];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, "src/cli/main.ts", ...args],
    cwd: ROOT,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const lines = new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.length, 6);
  for (const { tokensPerSecond, peerTokensPerSecond, ratio, peerSeconds } of lines) {
    assertEquals(peerSeconds.length, 1);
    assert(Math.abs(tokensPerSecond / peerTokensPerSecond / ratio - 1) < 1e-6);
  }
}, NO_PEER);

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
