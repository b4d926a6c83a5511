/** What lies in a repository, as the hub lists it. @module */

import { request } from "./http.ts";
import { formatHubReference, type HubRepository } from "./reference.ts";

/** Bytes of a list that are read. */
const LIST_BYTES_MAX = 16 << 20;
const LIST_MS = 10_000;
const SHOWN_MAX = 20;

/** Sizes of the files of a repository by their paths. */
export type Listing = ReadonlyMap<string, number>;

/** How to ask. */
export interface ListingRequest {
  /** The hub's address, with a slash at its end. */
  readonly base: URL;
  readonly token?: string;
  readonly signal: AbortSignal;
}

/**
 * The files of a repository: the first page of them, a thousand. Null where the hub does not tell: it is asked only for what can be
 * done without, such as a total before the first byte. Throws the signal's reason.
 */
export async function listFiles(
  { owner, repo, revision }: HubRepository,
  { base, token, signal }: ListingRequest,
): Promise<Listing | null> {
  const path = ["api", "models", owner, repo, "tree", revision].map(encodeURIComponent).join("/");
  const limited = AbortSignal.any([signal, AbortSignal.timeout(LIST_MS)]);
  try {
    const url = new URL(`${path}?recursive=true`, base);
    const { response } = await request({ url, token, signal: limited });
    if (!response.ok) {
      await response.body?.cancel();
      return null;
    }
    return readListing(JSON.parse(await limitedText(response)));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Deno.errors.NotCapable) throw error;
    return null;
  }
}

async function limitedText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > LIST_BYTES_MAX) throw new RangeError("the list is too long");
  }
  return text + decoder.decode();
}

function readListing(list: unknown): Listing | null {
  if (!Array.isArray(list)) return null;
  const files = new Map<string, number>();
  for (const entry of list) {
    const { type, path, size } = (entry ?? {}) as Record<string, unknown>;
    if (type === "file" && typeof path === "string" && Number.isSafeInteger(size) && Number(size) >= 0) {
      files.set(path, size as number);
    }
  }
  return files;
}

/** What a user may write for the GGUF files of a repository; of a split model its first part. */
export function ggufChoices(repository: HubRepository, listing: Listing): string[] {
  const files = [...listing.keys()].filter((path) =>
    /\.gguf$/i.test(path) && !/-(?!00001)\d{5}-of-\d{5}\.gguf$/i.test(path)
  );
  const shown = files.sort().slice(0, SHOWN_MAX).map((path) => formatHubReference({ ...repository, path }));
  return files.length > SHOWN_MAX ? [...shown, `and ${files.length - SHOWN_MAX} more`] : shown;
}
