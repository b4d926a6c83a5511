/** What the clients reported, and how it is shown. @module */

/** One line of a client's program. */
export interface Check {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** A client and what it could do. */
export interface ClientResult {
  /** Such as "openai 2.54.0". */
  readonly client: string;
  readonly checks: readonly Check[];
  /** Why it did not run. */
  readonly skipped?: string;
}

const COLUMNS = [
  "documented",
  "plain",
  "streamed",
  "abort plain",
  "abort streamed",
  "embeddings",
  "errors",
  "concurrency",
];

/** Reads a program's output; what is no line of a check is passed over. */
export function readChecks(output: string): Check[] {
  return output.split("\n").flatMap((line) => {
    if (!line.startsWith('{"check"')) return [];
    try {
      return [JSON.parse(line)];
    } catch {
      return [{ check: "output", ok: false, detail: line.slice(0, 100) }];
    }
  });
}

function cell(checks: readonly Check[], column: string): string {
  const found = checks.find(({ check }) => check === column);
  return found === undefined ? "" : found.ok ? "yes" : "**no**";
}

/**
 * A row for each client, a column for each check that several have; what only one has stands in the last
 * column.
 */
export function tableRows(results: readonly ClientResult[]): { header: string[]; rows: string[][] } {
  const rows = results.map(({ client, checks, skipped }) => {
    if (skipped !== undefined) return [client, ...COLUMNS.map(() => ""), `skipped: ${skipped}`];
    const others = checks.filter(({ check }) => !COLUMNS.includes(check));
    const more = others.map(({ check, ok }) => ok ? check : `${check} **no**`);
    return [client, ...COLUMNS.map((column) => cell(checks, column)), more.join(", ")];
  });
  return { header: ["client", ...COLUMNS, "more"], rows };
}

/** What failed, a line each. */
export function failureLines(results: readonly ClientResult[]): string[] {
  return results.flatMap(({ client, checks }) =>
    checks.filter(({ ok }) => !ok).map(({ check, detail }) => `${client}, ${check}: ${detail}`)
  );
}

/** The table in Markdown. */
export function markdownTable(results: readonly ClientResult[]): string {
  const { header, rows } = tableRows(results);
  const lines = [header, header.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
