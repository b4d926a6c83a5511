/**
 * Fetches a model file into the cache: resumes what an interruption left, checks size and SHA-256, and only then gives the file
 * its name. A file under its own name in the cache is therefore whole, and is used without asking the hub again.
 * @module
 */

import { statfs } from "node:fs/promises";
import { fetchReason, hopelessReason } from "./fetch_reason.ts";
import { cachedPath, cacheFolder } from "./cache.ts";
import { HubError } from "./error.ts";
import { delay, lockFile } from "./file_lock.ts";
import { type HubResponse, request } from "./http.ts";
import { type DownloadProgress, Meter } from "./meter.ts";
import { diskError, PartFile, type PartNote, readNote, removePart, writeNote } from "./part_file.ts";
import { formatHubReference, type HubReference, parseHubReference } from "./reference.ts";

/** How to download. */
export interface DownloadOptions {
  /** Cache folder; default {@linkcode cacheFolder}. */
  readonly cache?: string;
  /** The hub's address; default `HF_ENDPOINT`, else https://huggingface.co. */
  readonly endpoint?: string;
  /** Access token; default `HF_TOKEN`. Sent to the hub alone. */
  readonly token?: string;
  /** Stops the download; what has arrived is kept for the next time. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Called before waiting: for another download of the same file, or before a new attempt. */
  readonly onWait?: (reason: string, ms: number) => void;
  /** A connection that is silent for so long is given up and tried again; default 30,000. */
  readonly stallMs?: number;
  /** The same until the hub has answered for the first time; default 5,000. */
  readonly reachMs?: number;
  /** Attempts in a row that bring no new byte before giving up; default 6. */
  readonly attemptsMax?: number;
  /** Wait before the second attempt; doubles each time; default 1,000. */
  readonly retryBaseMs?: number;
}

const RETRY_MAX_MS = 60_000;
/** A hub that never answered is not waited for long: whoever is offline, or mistyped its name, wants to know. */
const UNREACHED_ATTEMPTS_MAX = 3;
const UNREACHED_MS = 8000;

/** A failure that another attempt may cure. */
class Temporary extends Error {
  /** Not even that, as long as the hub has never answered. */
  readonly isHopeless: boolean;

  constructor(
    message: string,
    readonly waitMs?: number,
    options?: ErrorOptions & { readonly isHopeless?: boolean },
  ) {
    super(message, options);
    this.isHopeless = options?.isHopeless ?? false;
  }
}

/**
 * Path of the model file in the cache, downloaded first when it is not there. Throws HubError, or the signal's reason.
 */
export async function downloadModel(
  reference: string | HubReference,
  options: DownloadOptions = {},
): Promise<string> {
  const parsed = typeof reference === "string" ? parseHubReference(reference) : reference;
  const path = cachedPath(options.cache ?? cacheFolder(), parsed);
  if (await isFile(path)) return path;
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  try {
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  } catch (error) {
    throw diskError(error, path);
  }
  using _lock = await lockFile(
    `${path}.lock`,
    signal,
    () => options.onWait?.("another process downloads this file", 0),
  );
  if (await isFile(path)) return path;
  const partPath = `${path}.part`;
  try {
    // Closed before it is renamed or removed, which Windows insists on.
    using part = await PartFile.open(partPath);
    await new Download(parsed, part, signal, options).run();
    await part.sync();
  } catch (error) {
    if (error instanceof HubError && error.kind === "mismatch") await removePart(partPath);
    throw error;
  }
  await Deno.rename(partPath, path);
  await removePart(partPath);
  return path;
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}

/** Bytes that can still be written in a folder; undefined where the system does not say. */
async function freeBytes(path: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

function hubUrl(endpoint: string, { owner, repo, revision, path }: HubReference): URL {
  const base = URL.parse(endpoint.replace(/\/*$/, "/"));
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new HubError("reference", `HF_ENDPOINT must be an http(s) address, current value is ${endpoint}`);
  }
  const parts = [owner, repo, "resolve", revision, ...path.split("/")].map(encodeURIComponent);
  return new URL(parts.join("/"), base);
}

/** Seconds or a date, as RFC 9110 has it. */
function retryAfterMs(response: Response): number | undefined {
  const text = response.headers.get("retry-after");
  if (text === null) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_MAX_MS) : undefined;
}

/** One file on its way. */
class Download {
  readonly #name: string;
  readonly #url: URL;
  #note: PartNote = {};
  /** The hub has answered. */
  #isReached = false;

  constructor(
    reference: HubReference,
    readonly part: PartFile,
    readonly signal: AbortSignal,
    readonly options: DownloadOptions,
  ) {
    this.#name = formatHubReference(reference);
    const endpoint = options.endpoint || Deno.env.get("HF_ENDPOINT") || "https://huggingface.co";
    this.#url = hubUrl(endpoint, reference);
  }

  /** Transfers until the part file is whole and right. */
  async run(): Promise<void> {
    const { attemptsMax = 6, retryBaseMs = 1000 } = this.options;
    await this.#adoptEarlier();
    let most = this.part.bytes;
    const startedMs = performance.now();
    for (let failures = 0; !this.#isWhole();) {
      try {
        await this.#transfer();
        break;
      } catch (error) {
        this.signal.throwIfAborted();
        if (!(error instanceof Temporary)) throw error;
        // Only bytes that were never there before count as progress: beginning again must not go on for ever.
        failures = this.part.bytes > most ? 1 : failures + 1;
        most = Math.max(most, this.part.bytes);
        if (!this.#isReached) {
          const isLate = performance.now() - startedMs > UNREACHED_MS;
          const attempts = Math.min(attemptsMax, UNREACHED_ATTEMPTS_MAX);
          if (error.isHopeless || isLate || failures >= attempts) throw this.#unreached(error);
        } else if (failures >= attemptsMax) {
          const kept = this.part.bytes > 0 ? "; what has arrived is kept, repeat the command to resume" : "";
          throw new HubError("network", `${this.#name}: ${error.message}${kept}`, { cause: error.cause });
        }
        const waitMs = error.waitMs ?? Math.min(retryBaseMs * 2 ** (failures - 1), RETRY_MAX_MS);
        this.options.onWait?.(error.message, waitMs);
        await delay(waitMs, this.signal);
      }
    }
    this.#verify();
  }

  #unreached(error: Temporary): HubError {
    return new HubError(
      "network",
      `${this.#name} cannot be downloaded: ${error.message}; check the connection and HTTPS_PROXY, set HF_ENDPOINT to another hub, ` +
        "or give the path of a file on this machine instead",
      { cause: error.cause },
    );
  }

  #isWhole(): boolean {
    return this.#note.size !== undefined && this.part.bytes === this.#note.size;
  }

  async #adoptEarlier(): Promise<void> {
    const note = await readNote(this.part.path);
    // Without an ETag nothing says that the rest would belong to the same file.
    if (note?.etag === undefined) return await this.#restart();
    this.#note = note;
    const meter = new Meter("resume", 0, performance.now());
    await this.part.adopt(this.signal, (bytes) => this.#report(meter, bytes));
  }

  async #restart(): Promise<void> {
    this.#note = {};
    await this.part.restart();
  }

  #report(meter: Meter, bytes: number): void {
    const progress = meter.report(bytes, this.#note.size, performance.now());
    if (progress !== null) this.options.onProgress?.(progress);
  }

  /** One request and its body. Throws Temporary for what another attempt may cure. */
  async #transfer(): Promise<void> {
    const stall = new AbortController();
    const { stallMs = 30_000, reachMs = 5000 } = this.options;
    const wait = (ms: number) =>
      setTimeout(() => stall.abort(new Temporary(`${this.#url.host} was silent for ${ms / 1000} s`)), ms);
    let timer = wait(this.#isReached ? stallMs : Math.min(reachMs, stallMs));
    const awake = () => {
      clearTimeout(timer);
      timer = wait(stallMs);
    };
    try {
      const answer = await this.#request(AbortSignal.any([this.signal, stall.signal]), awake);
      await this.#accept(answer);
      await this.#receive(answer.response, awake);
    } catch (error) {
      this.signal.throwIfAborted();
      if (stall.signal.aborted) throw stall.signal.reason;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #request(signal: AbortSignal, awake: () => void): Promise<HubResponse> {
    const { etag } = this.#note;
    const offset = this.part.bytes;
    const token = this.options.token ?? Deno.env.get("HF_TOKEN");
    try {
      return await request({
        url: this.#url,
        token,
        signal,
        onAnswer: () => {
          this.#isReached = true;
          awake();
        },
        resume: offset > 0 && etag !== undefined ? { offset, etag } : undefined,
      });
    } catch (error) {
      if (error instanceof HubError || error instanceof Deno.errors.NotCapable) throw error;
      const reason = fetchReason(error);
      const hopeless = hopelessReason(reason);
      throw new Temporary(`${this.#url.host} cannot be reached (${hopeless ?? reason})`, undefined, {
        cause: error,
        isHopeless: hopeless !== null,
      });
    }
  }

  /** Checks the answer's head and puts the part file where its body goes on. */
  async #accept(answer: HubResponse): Promise<void> {
    const { response, identity, etag } = answer;
    if (response.status !== 200 && response.status !== 206) {
      await response.body?.cancel();
      throw await this.#refusal(response);
    }
    if (response.status === 206) {
      const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
      const isSame = identity.tag === this.#note.tag &&
        (identity.size ?? this.#note.size) === this.#note.size;
      if (isSame && Number(start) === this.part.bytes) return;
      await response.body?.cancel();
      await this.#restart();
      throw new Temporary("the file has changed on the hub, beginning again", 0);
    }
    const length = response.headers.get("content-length");
    if (identity.size !== undefined && length !== null && Number(length) !== identity.size) {
      await response.body?.cancel();
      throw new HubError(
        "mismatch",
        `the hub says ${this.#name} has ${identity.size} bytes, but ${length} are sent`,
      );
    }
    await this.#restart();
    const free = await freeBytes(this.part.path);
    if (identity.size !== undefined && free !== undefined && free < identity.size) {
      await response.body?.cancel();
      const [need, have] = [identity.size, free].map((bytes) => `${(bytes / 1e9).toFixed(2)} GB`);
      throw new HubError(
        "disk",
        `${this.#name} needs ${need}, ${have} are free at ${this.part.path}: free some space, or set KUMI_CACHE`,
      );
    }
    this.#note = { ...identity, etag };
    await writeNote(this.part.path, this.#note);
  }

  async #refusal(response: Response): Promise<Error> {
    const { status } = response;
    const host = this.#url.host;
    if (status === 416) {
      await this.#restart();
      return new Temporary(`${host} refuses to resume, beginning again`, 0);
    }
    if (status === 408 || status === 429 || status >= 500) {
      return new Temporary(`${host} answers ${status} ${response.statusText}`.trim(), retryAfterMs(response));
    }
    if (status === 401 || status === 403) {
      return new HubError(
        "access",
        `${this.#name} does not exist, or needs permission (${status}): check the name, accept the model's licence on ` +
          `${this.#url.origin}, and set HF_TOKEN to an access token`,
      );
    }
    if (status === 404) return new HubError("not-found", `${this.#name} does not exist on ${host}`);
    return new HubError("server", `${host} answers ${status} ${response.statusText} for ${this.#name}`);
  }

  async #receive(response: Response, awake: () => void): Promise<void> {
    const { size } = this.#note;
    const meter = new Meter("download", this.part.bytes, performance.now());
    const reader = (response.body ?? new Blob().stream()).getReader();
    try {
      for (;;) {
        const { done, value } = await readChunk(reader, this.#url.host);
        if (done) break;
        awake();
        if (size !== undefined && this.part.bytes + value.length > size) {
          throw new HubError(
            "mismatch",
            `${this.#url.host} sends more than the ${size} bytes of ${this.#name}`,
          );
        }
        await this.part.append(value);
        this.#report(meter, this.part.bytes);
      }
    } finally {
      await reader.cancel().catch(() => {}); // already broken: the first error counts
    }
    if (size !== undefined && this.part.bytes < size) throw new Temporary("the connection ended early");
  }

  #verify(): void {
    const { sha256 } = this.#note;
    const actual = this.part.sha256();
    if (sha256 === undefined || sha256 === actual) return;
    throw new HubError(
      "mismatch",
      `${this.#name} arrived damaged and was removed: its SHA-256 is ${actual}, the hub says ${sha256}; repeat the command`,
    );
  }
}

async function readChunk(reader: ReadableStreamDefaultReader<Uint8Array>, host: string) {
  try {
    return await reader.read();
  } catch (error) {
    throw new Temporary(`the connection to ${host} broke (${fetchReason(error)})`, undefined, {
      cause: error,
    });
  }
}
