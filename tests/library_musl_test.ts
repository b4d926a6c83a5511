/** The library for musl, in a process that musl's loader starts. */
import { assert, assertEquals } from "@std/assert";
import { ensureLibrary, ensurePlatformLibrary, zigEnvironment } from "../src/setup/build.ts";
import { BUILD, ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { ensureZig } from "../src/setup/zig.ts";
import { testWithPrograms } from "./support/optional.ts";
import { platformOf, PLATFORMS } from "../src/ffi/platform.ts";

const { arch } = Deno.build;
const MUSL = PLATFORMS.find((platform) => platform.arch === arch && platform.libc === "musl");
const NO_GLIBC = platformOf()?.libc === "glibc" ? undefined : "this system has no glibc to compare with";

/**
 * Builds tests/support/use_library.c for a C library and runs it, with `loader` if it is given, on a kernel
 * library.
 */
async function useLibrary(
  folder: string,
  abi: string,
  library: string,
  ...loader: string[]
): Promise<string> {
  const source = `${ROOT}/tests/support/use_library.c`;
  const program = `${folder}/${abi}`;
  const target = `${arch}-linux-${abi}`;
  const command = [await ensureZig(), "cc", "-target", target, "-dynamic", "-O1", "-o", program, source];
  const env = { ...zigEnvironment(), ZIG_LOCAL_CACHE_DIR: `${BUILD}/zig-cache` };
  const built = await capture(command, { env });
  assertEquals(built?.code, 0, built?.stderr);
  const result = await capture([...loader, program, library]);
  assertEquals(result?.code, 0, result?.stdout);
  return result!.stdout;
}

testWithPrograms(
  "the library for musl computes the same bits as the one for glibc",
  ["musl"],
  async ([loader]) => {
    const folder = await Deno.makeTempDir({ prefix: "kumi-musl-" });
    try {
      const glibc = await useLibrary(folder, "gnu", await ensureLibrary());
      const musl = await useLibrary(folder, "musl", await ensurePlatformLibrary(MUSL!), loader);
      assert(glibc.endsWith("closed\n") && /Q4_K [0-9a-f]{8}/.test(glibc), glibc);
      assertEquals(musl, glibc);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
  NO_GLIBC,
);
