/**
 * Names of models on a hub: a file, `hf:owner/repo/path/file.gguf` or `hf:owner/repo@revision/path/file.gguf`, or a repository that is
 * a folder of safetensors, `hf:owner/repo` or `hf:owner/repo@revision`.
 * @module
 */

import { HubError } from "./error.ts";

/** A repository on a hub. */
export interface HubRepository {
  readonly owner: string;
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
}

/** A file in a repository on a hub. */
export interface HubReference extends HubRepository {
  /** Path inside the repository, with slashes. */
  readonly path: string;
}

const PREFIX = "hf:";
/** Each part becomes a folder in the cache: no separators, no "..", nothing hidden, nothing a shell or Windows minds. */
const PART = /^[A-Za-z0-9_](?:[A-Za-z0-9._+\- ()]{0,126}[A-Za-z0-9_+\-()])?$/;

/** True when `text` names something on a hub rather than a local file. */
export function isHubReference(text: string): boolean {
  return text.startsWith(PREFIX);
}

/** True when `text` names a repository as a whole. */
export function isHubRepository(text: string): boolean {
  return isHubReference(text) && text.split("/").length === 2;
}

/** Reads the name of a repository. Throws HubError when a part is missing or could leave the cache folder. */
export function parseHubRepository(text: string): HubRepository {
  const [owner = "", name = ""] = isHubRepository(text) ? text.slice(PREFIX.length).split("/") : [];
  const [repo, revision = "main", ...more] = name.split("@");
  const isFile = repo.toLowerCase().endsWith(".gguf");
  if (isFile || more.length > 0 || ![owner, repo, revision].every((part) => PART.test(part))) {
    throw malformed(text);
  }
  return { owner, repo, revision };
}

/** The repository as a user writes it. */
export function formatHubRepository({ owner, repo, revision }: HubRepository): string {
  return `${PREFIX}${owner}/${repo}${revision === "main" ? "" : `@${revision}`}`;
}

function malformed(text: string): HubError {
  return new HubError(
    "reference",
    "a model on the hub is written hf:owner/repo/file.gguf, or hf:owner/repo for a folder of safetensors, with @revision after repo " +
      `where it is not main; current value is ${JSON.stringify(text)}`,
  );
}

/**
 * Reads a reference to a file. Throws HubError when a part is missing or could leave the cache folder.
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
    throw malformed(text);
  }
  if (!path.at(-1)!.toLowerCase().endsWith(".gguf")) {
    throw new HubError("reference", `only .gguf files can be run, current value is ${JSON.stringify(text)}`);
  }
  return { owner, repo, revision, path: path.join("/") };
}

/** The reference as a user writes it. */
export function formatHubReference(reference: HubReference): string {
  return `${formatHubRepository(reference)}/${reference.path}`;
}
