/**
 * The programs that `kumi bench` can measure beside kumi. What a command is described by loads this file: it loads nothing.
 * @module
 */

/** One of the ways in which a peer is measured; the best counts. */
export interface PeerMode {
  /** Said with the peer's figure; empty where there is only one. */
  readonly label: string;
  /** Flash attention. */
  readonly flash: boolean;
  /** Weights in ik_llama.cpp's own packed formats (`-rtr`). */
  readonly repack: boolean;
}

/** A program, and what it needs. */
export interface PeerProgram {
  readonly name: string;
  /** Name and version of what is installed, as its registry has them; undefined where somebody has built it. */
  readonly package?: string;
  readonly registry?: "npm" | "PyPI";
  /** What speaks the line protocol with it, in `programs/`. */
  readonly script: string;
  /** Programs that it is installed and run with, beside Python. */
  readonly programs: readonly string[];
  /** Where Python runs it. */
  readonly isPython: boolean;
  /** `kv`: format of the KV cache as kumi calls it. */
  modes(kv: string): readonly PeerMode[];
}

const NODE_LLAMA_CPP = "3.22.1";

/** Name and version of the package that llama.cpp comes in. */
export const PEER_PACKAGE = `node-llama-cpp@${NODE_LLAMA_CPP}`;

/** npm's name of the package with llama.cpp's native library for this machine's processor. */
export function nativePackage(): string {
  const { os, arch } = Deno.build;
  const system = os === "darwin" ? "mac" : os === "windows" ? "win" : "linux";
  const suffix = os === "darwin" && arch === "aarch64" ? "-metal" : "";
  return `@node-llama-cpp/${system}-${arch === "aarch64" ? "arm64" : "x64"}${suffix}@${NODE_LLAMA_CPP}`;
}

/** Flash attention off and on; with a quantised cache llama.cpp and its kin know it only on. */
function flashModes(kv: string): PeerMode[] {
  return (kv.startsWith("q") ? [true] : [false, true]).map((flash) => ({
    label: `flash attention ${flash ? "on" : "off"}`,
    flash,
    repack: false,
  }));
}

const REPACK_MODES: readonly PeerMode[] = [false, true].map((repack) => ({
  label: repack ? "with -rtr" : "without -rtr",
  flash: true,
  repack,
}));

const ONLY_MODE: readonly PeerMode[] = [{ label: "", flash: true, repack: false }];

export const LLAMA_CPP: PeerProgram = {
  name: "llama.cpp",
  package: PEER_PACKAGE,
  registry: "npm",
  script: "llamacpp.mjs",
  programs: ["node", "npm"],
  isPython: false,
  modes: flashModes,
};

/** An ik_llama.cpp that somebody has built. */
export const IK_LLAMA_CPP: PeerProgram = {
  name: "ik_llama.cpp",
  script: "ik_peer.py",
  programs: ["cc"],
  isPython: true,
  modes: () => REPACK_MODES,
};

const OPENVINO: PeerProgram = {
  name: "openvino-genai",
  package: "openvino-genai==2026.4.1.0",
  registry: "PyPI",
  script: "openvino_peer.py",
  programs: [],
  isPython: true,
  modes: () => ONLY_MODE,
};

const MISTRAL_RS: PeerProgram = {
  name: "mistralrs",
  package: "mistralrs==0.9.5",
  registry: "PyPI",
  script: "mistralrs_peer.py",
  programs: [],
  isPython: true,
  modes: () => ONLY_MODE,
};

/** Those that are installed from a registry: what `--peer` takes. */
export const INSTALLED_PEERS: readonly PeerProgram[] = [LLAMA_CPP, OPENVINO, MISTRAL_RS];

/** What these options choose: a name, or the folder of an ik_llama.cpp; undefined where neither is given, or for another name. */
export function chosenPeer(name: string | undefined, folder: string | undefined): PeerProgram | undefined {
  if (folder !== undefined) return IK_LLAMA_CPP;
  return INSTALLED_PEERS.find((each) => each.name === name);
}
