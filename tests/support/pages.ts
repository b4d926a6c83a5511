/** README and the pages of docs/, read for what they name: links, paths, commands. */

import { ROOT } from "../../src/setup/paths.ts";

/** A page of Markdown. */
export interface Page {
  /** Its path in the checkout. */
  readonly path: string;
  readonly text: string;
}

/** A link to somewhere in the checkout. */
export interface Link {
  /** As it stands on the page. */
  readonly target: string;
  /** Path in the checkout; the page's own for a link within it. */
  readonly path: string;
  /** After "#". */
  readonly heading?: string;
}

/** A command line: program and arguments. */
export type CommandLine = readonly string[];

/** All pages of the checkout. */
export async function readPages(folder = ""): Promise<Page[]> {
  const pages: Page[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}/${folder}`)) {
    if (name.startsWith(".") || name === "node_modules") continue;
    const path = `${folder}${name}`;
    if (isDirectory) pages.push(...await readPages(`${path}/`));
    else if (name.endsWith(".md")) pages.push({ path, text: await Deno.readTextFile(`${ROOT}/${path}`) });
  }
  return pages.sort((a, b) => a.path < b.path ? -1 : 1);
}

const FENCE = /^( *)```(.*)\n([^]*?)^\1```$/gm;

/** The page without its blocks of code. */
function prose(text: string): string {
  return text.replace(FENCE, "");
}

/** Links to other places of the checkout, pictures included. */
export function linksOf({ path, text }: Page): Link[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const url = new URL(target, `file:///${path}`);
      return {
        target,
        path: decodeURIComponent(url.pathname).slice(1),
        ...url.hash && { heading: url.hash.slice(1) },
      };
    });
}

/** The names of a page's headings in links, as GitHub makes them. */
export function headingsOf({ text }: Page): Set<string> {
  const titles = [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.replaceAll("`", ""));
  return new Set(
    titles.map((title) => title.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-")),
  );
}

/** What stands between backticks in the page's prose. */
export function codeSpansOf({ text }: Page): string[] {
  return [...prose(text).matchAll(/(`+)(.+?)\1(?!`)/gs)].map(([, , code]) => code.trim());
}

/** The lines of the page's blocks of shell commands; long ones that go on with a backslash are one. */
function shellLinesOf({ text }: Page): string[] {
  const blocks = [...text.matchAll(FENCE)].filter(([, , language]) => language === "sh");
  return blocks.flatMap(([, , , code]) => code.replace(/\\\n\s*/g, " ").split("\n"));
}

/** The commands that the page names, in its prose and in its blocks. */
export function commandsOf(page: Page): CommandLine[] {
  const lines = [...codeSpansOf(page), ...shellLinesOf(page)];
  return lines.flatMap((line) => line.replace(/(^|\s)#.*/, "").split(/&&|;|\|/))
    .map((command) => (command.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^\$$/, "")))
    .map((words) => words[0] === "npx" ? ["deno", ...words.slice(words.indexOf("task"))] : words)
    .filter((words) => words.length > 0);
}

/** Words of code that name a place in a folder of the checkout, as `src/cli/main.ts` does. */
export function pathsOf(page: Page, topLevel: ReadonlySet<string>): string[] {
  const folder = page.path.replace(/[^/]*$/, "");
  const words = [...codeSpansOf(page), ...shellLinesOf(page)].flatMap((code) => code.split(/\s+/));
  return words.filter((word) => /^[\w.-]+(\/[\w.*-]+)*\/?$/.test(word) && word.includes("/"))
    .filter((word) => topLevel.has(word.split("/")[0]) || folder !== "" && /^(\.\.|src)\//.test(word));
}
