/** `deno task page`: writes the page's assets, or checks that they are up to date. @module */

import { note } from "../progress.ts";
import { ASSETS, assetsModule } from "./build.ts";
import { PageError } from "./packages.ts";

const HELP = `usage: deno task page [--check]

Makes src/ui/assets.ts, what the server shows, of src/ui/page and packages of npm.

  --check   change nothing; exit status 1 where the file is not what it would become`;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(HELP);
    return 0;
  }
  const text = await assetsModule();
  const isCurrent = await Deno.readTextFile(ASSETS).catch(() => "") === text;
  if (args.includes("--check")) {
    note(
      isCurrent
        ? "src/ui/assets.ts is up to date"
        : "src/ui/assets.ts is out of date: deno task page writes it",
    );
    return isCurrent ? 0 : 1;
  }
  if (!isCurrent) await Deno.writeTextFile(ASSETS, text);
  note(await sizes(text));
  return 0;
}

/** What browsers have to fetch. */
async function sizes(text: string): Promise<string> {
  const { ASSETS: files } = await import(`data:application/typescript,${encodeURIComponent(text)}`);
  const lines: string[] = [];
  let total = 0;
  for (const [name, content] of Object.entries(files as Record<string, string>)) {
    const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("gzip"));
    const bytes = (await new Response(stream).arrayBuffer()).byteLength;
    total += bytes;
    lines.push(`${name}: ${bytes} bytes compressed`);
  }
  return [...lines, `together ${total} bytes compressed`].join("\n");
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof PageError)) throw error;
    note(error.message);
    Deno.exit(1);
  }
}
