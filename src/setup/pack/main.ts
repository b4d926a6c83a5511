/** `deno task pack`: the packages for npm and JSR, into `.build/pack/`. Publishes nothing. @module */

import { platformOf, PLATFORMS } from "../../ffi/platform.ts";
import { ensurePlatformLibrary } from "../build.ts";
import { buildAll } from "../build_all.ts";
import { BUILD, ROOT } from "../paths.ts";
import { Interruption } from "../process.ts";
import { note } from "../progress.ts";
import { packJsr } from "./jsr.ts";
import { type BuiltLibrary, type Manifest, packNpm } from "./npm.ts";

const HELP = `usage: deno task pack [--this-platform] [--out FOLDER]

  --this-platform  only this machine's library, to try the packages here: not for publishing
  --out FOLDER     instead of .build/pack`;

interface Options {
  readonly isThisPlatformAlone: boolean;
  readonly out: string;
}

function parseOptions(args: readonly string[]): Options | null {
  let isThisPlatformAlone = false;
  let out = `${BUILD}/pack`;
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--help") return null;
    if (args[i] === "--this-platform") isThisPlatformAlone = true;
    else if (args[i] === "--out" && i + 1 < args.length) out = args[++i];
    else throw new RangeError(`no option is called ${args[i]}\n${HELP}`);
  }
  return { isThisPlatformAlone, out };
}

async function builtLibraries(
  { isThisPlatformAlone }: Options,
  signal: AbortSignal,
): Promise<BuiltLibrary[]> {
  const own = platformOf();
  if (isThisPlatformAlone && own === undefined) {
    throw new RangeError(`kumi is not packed for ${Deno.build.target}`);
  }
  if (!isThisPlatformAlone && !await buildAll({ signal })) {
    throw new RangeError("not every library is as it must be");
  }
  const platforms = isThisPlatformAlone ? [own!] : PLATFORMS;
  const built: BuiltLibrary[] = [];
  for (const platform of platforms) {
    built.push({ platform, file: await ensurePlatformLibrary(platform, { signal }) });
  }
  return built;
}

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  if (options === null) return console.log(HELP);
  using interruption = new Interruption();
  const built = await builtLibraries(options, interruption.signal);
  const manifest: Manifest = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  await Deno.remove(options.out, { recursive: true }).catch(() => {});
  const folders = await packNpm(`${options.out}/npm`, manifest, built);
  await packJsr(`${options.out}/jsr`, manifest);
  console.log("To publish, in this order; the last one needs those before it:");
  for (const folder of folders) console.log(`  npm publish --access public ${folder}`);
  console.log(`  cd ${options.out}/jsr && deno publish`);
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    note(error.message);
    Deno.exit(1);
  }
}
