/** Names of model files on a hub: `hf:owner/repo/path/file.gguf` or `hf:owner/repo@revision/path/file.gguf`. @module */

import { HubError } from "./error.ts";

/** A file in a repository on a hub. */
export interface HubReference {
  readonly owner: string;
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Path inside the repository, with slashes. */
  readonly path: string;
}

const PREFIX = "hf:";
/** Each part becomes a folder in the cache: no separators, no "..", nothing hidden, nothing a shell or Windows minds. */
const PART = /^[A-Za-z0-9_](?:[A-Za-z0-9._+\- ()]{0,126}[A-Za-z0-9_+\-()])?$/;

/** True when `text` names a file on a hub rather than a local one. */
export function isHubReference(text: string): boolean {
  return text.startsWith(PREFIX);
}

/**
 * Reads a reference. Throws HubError when a part is missing or could leave the cache folder.
 *
 * @example
 * ```ts
 * import { parseHubReference } from "./reference.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const reference = parseHubReference("hf:owner/repo/q4/model.gguf");
 * assertEquals(reference, { owner: "owner", repo: "repo", revision: "main", path: "q4/model.gguf" });
 * ```
 */
export function parseHubReference(text: string): HubReference {
  const [owner = "", repoAndRevision = "", ...path] = isHubReference(text)
    ? text.slice(PREFIX.length).split("/")
    : [];
  const [repo, revision = "main", ...more] = repoAndRevision.split("@");
  const parts = [owner, repo, revision, ...path];
  if (more.length > 0 || path.length === 0 || path.length > 16 || !parts.every((part) => PART.test(part))) {
    throw new HubError(
      "reference",
      `a model on the hub is written hf:owner/repo/file.gguf or hf:owner/repo@revision/file.gguf, current value is ${
        JSON.stringify(text)
      }`,
    );
  }
  if (!path.at(-1)!.toLowerCase().endsWith(".gguf")) {
    throw new HubError("reference", `only .gguf files can be run, current value is ${JSON.stringify(text)}`);
  }
  return { owner, repo, revision, path: path.join("/") };
}

/** The reference as a user writes it. */
export function formatHubReference({ owner, repo, revision, path }: HubReference): string {
  return `${PREFIX}${owner}/${repo}${revision === "main" ? "" : `@${revision}`}/${path}`;
}
