/** What must be so before a release. Pure. @module */

/** Something that was looked at. */
export interface Finding {
  readonly ok: boolean;
  readonly text: string;
}

/** Whether the manifest, the code and the change log name one version, and the log gives it a date. */
export function versionFindings(manifest: string, code: string, changes: string): Finding[] {
  const heading = new RegExp(`^## ${RegExp.escape(manifest)}\\b(.*)$`, "m").exec(changes);
  const date = heading?.[1].trim().replace(/^[,(] *|\)$/g, "");
  const isDated = /^\d{4}-\d{2}-\d{2}$/.test(date ?? "");
  return [
    { ok: /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(manifest), text: `deno.json has version ${manifest}` },
    { ok: code === manifest, text: `the code says ${code}` },
    {
      ok: heading !== null && isDated,
      text: heading === null
        ? `CHANGELOG.md has nothing of ${manifest}`
        : isDated
        ? `CHANGELOG.md has ${manifest} of ${date}`
        : `CHANGELOG.md has ${manifest} without a date: "${date}"`,
    },
  ];
}

/** The change log's part about a version, without its heading. */
export function changesOf(version: string, changes: string): string {
  const parts = changes.split(/^## /m);
  const own = parts.find((part) => part.startsWith(version));
  return own === undefined ? "" : own.slice(own.indexOf("\n") + 1).trim();
}
