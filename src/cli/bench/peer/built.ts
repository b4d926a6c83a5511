/** Joins an ik_llama.cpp that somebody has built to what speaks the line protocol with it. @module */

import { cacheFolder } from "../../../hub/cache.ts";
import { lastWords } from "../../../process/python.ts";
import { PeerError } from "./error.ts";

/** Folders of a checkout that a library may lie in, below it and below its folder `build`. */
const DEPTH_MAX = 5;

/**
 * The path of a library, in the cache folder, that has what `ik_peer.py` calls, linked with the one of a checkout of ik_llama.cpp.
 * Needs a C compiler; `source`: the file that is compiled. Throws a PeerError that says what is missing.
 */
export async function linkBuilt(checkout: string, source: string): Promise<string> {
  const folder = await Deno.realPath(checkout).catch((cause) => {
    throw new PeerError(`--peer-path: there is no folder ${checkout}`, { cause });
  });
  const headers = [`${folder}/include`, `${folder}/ggml/include`];
  if (!await isFile(`${headers[0]}/llama.h`)) {
    throw new PeerError(`--peer-path takes a checkout of ik_llama.cpp: ${folder} has no include/llama.h`);
  }
  const libraries = [await libraryFolder(folder, "llama"), await libraryFolder(folder, "ggml")];
  const output = `${cacheFolder()}/peer/ik_llama.cpp`;
  await Deno.mkdir(output, { recursive: true });
  const path = `${output}/ik_peer.so`;
  const search = libraries.flatMap((each) => [`-L${each}`, `-Wl,-rpath,${each}`]);
  const include = headers.map((each) => `-I${each}`);
  await compile(["-O2", "-shared", "-fPIC", ...include, source, "-o", path, ...search, "-lllama", "-lggml"]);
  return path;
}

async function libraryFolder(checkout: string, name: string): Promise<string> {
  const file = `lib${name}.${Deno.build.os === "darwin" ? "dylib" : "so"}`;
  for (const start of [`${checkout}/build`, `${checkout}/lib`, `${checkout}/bin`]) {
    const found = await folderOf(file, start, DEPTH_MAX);
    if (found !== undefined) return found;
  }
  throw new PeerError(
    `--peer-path: ${checkout} has no ${file} in build: cmake -B build && cmake --build build --target llama`,
  );
}

async function folderOf(file: string, folder: string, depth: number): Promise<string | undefined> {
  if (await isFile(`${folder}/${file}`)) return folder;
  if (depth === 0) return undefined;
  for (const name of await subfolders(folder)) {
    const found = await folderOf(file, `${folder}/${name}`, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function subfolders(folder: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => name).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}

async function compile(args: string[]): Promise<void> {
  const command = new Deno.Command("cc", { args, stdin: "null", stdout: "null", stderr: "piped" });
  const { success, stderr } = await command.output().catch((cause) => {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new PeerError("--peer-path needs a C compiler (Debian, Ubuntu: apt-get install gcc)", { cause });
  });
  if (success) return;
  throw new PeerError(
    `--peer-path: cc cannot join this ik_llama.cpp: ${lastWords(new TextDecoder().decode(stderr))}`,
  );
}
