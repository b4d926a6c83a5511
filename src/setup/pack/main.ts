/** `deno task pack`: the packages for npm and JSR, an archive or an image, into `.build/pack/`. Publishes nothing. @module */

import { checkThere } from "../../client/locate_model.ts";
import { platformOf, PLATFORMS } from "../../ffi/platform.ts";
import { ensurePlatformLibrary } from "../build.ts";
import { buildAll } from "../build_all.ts";
import { BUILD, ROOT } from "../paths.ts";
import { Interruption } from "../process.ts";
import { note } from "../progress.ts";
import { packImage } from "./image/image.ts";
import { packJsr } from "./jsr.ts";
import { type BuiltLibrary, type Manifest, packNpm } from "./npm.ts";
import { packOffline } from "./offline/archive.ts";
import { sha256Of } from "./offline/checksums.ts";

const HELP = `usage: deno task pack [--this-platform] [--out FOLDER]
       deno task pack --offline|--image [--platform ID] [--model PATH|NAME] [--out FOLDER]

  --this-platform  only this machine's library, to try the packages here: not for publishing
  --offline        instead: an archive with Deno, kumi and all that it needs, for machines without the internet
  --image          instead: an image of a container for docker load, podman load or skopeo, with a system from Debian's packages
  --platform ID    of ${PLATFORMS.map(({ id }) => id).join(", ")}; default: this machine's
  --model MODEL    packed, too: a GGUF file, or a name as for kumi chat
  --out FOLDER     instead of .build/pack`;

interface Options {
  readonly isThisPlatformAlone: boolean;
  /** What is made in the place of packages. */
  readonly form?: "offline" | "image";
  readonly platform?: string;
  readonly model?: string;
  readonly out: string;
}

/** Throws a RangeError for options that cannot be. */
export function parseOptions(args: readonly string[]): Options | null {
  let isThisPlatformAlone = false, form: Options["form"];
  const values: Record<string, string> = {};
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--help") return null;
    if (args[i] === "--this-platform") isThisPlatformAlone = true;
    else if (args[i] === "--offline" || args[i] === "--image") {
      const asked = args[i] === "--image" ? "image" : "offline";
      if (form !== undefined && form !== asked) {
        throw new RangeError("--offline and --image each make another file: give one");
      }
      form = asked;
    } else if (["--out", "--platform", "--model"].includes(args[i]) && i + 1 < args.length) {
      values[args[i].slice(2)] = args[++i];
    } else throw new RangeError(`no option is called ${args[i]}\n${HELP}`);
  }
  const { out = `${BUILD}/pack`, platform, model } = values;
  if (form === undefined && (platform ?? model) !== undefined) {
    throw new RangeError("--platform and --model are for --offline and --image");
  }
  if (form !== undefined && isThisPlatformAlone) {
    throw new RangeError(`--this-platform is for packages: --${form} packs one platform, see --platform`);
  }
  if (model !== undefined) checkModel(model);
  return { isThisPlatformAlone, form, platform, model, out };
}

/** Throws a RangeError for a model that is not there: said before minutes of packing. */
function checkModel(model: string): void {
  try {
    checkThere(model);
  } catch (error) {
    throw new RangeError(`--model: ${(error as Error).message}`);
  }
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
  if (options.form !== undefined) {
    const pack = options.form === "image" ? packImage : packOffline;
    const { file } = await pack({ ...options, signal: interruption.signal });
    const { size } = await Deno.stat(file);
    return console.log(`${file}: ${(size / 1e6).toFixed(0)} MB, SHA-256 ${await sha256Of(file)}`);
  }
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
    const isInterrupted = error instanceof DOMException && error.name === "AbortError";
    if (!isInterrupted && !(error instanceof RangeError)) throw error;
    note(isInterrupted ? "interrupted: nothing whole was made" : error.message);
    Deno.exit(isInterrupted ? 130 : 1);
  }
}
