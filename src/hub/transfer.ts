/**
 * One file on its way from the hub: attempts, resumption, and the checks of what has arrived.
 * @module
 */

import { requireSpace } from "./disk_space.ts";
import { HubError } from "./error.ts";
import { fetchReason, hopelessReason } from "./fetch_reason.ts";
import { delay } from "../process/delay.ts";
import { type FileIdentity, type HubResponse, request } from "./http.ts";
import { type DownloadProgress, Meter } from "./meter.ts";
import { PartFile, type PartNote, readNote, writeNote } from "./part_file.ts";
import { formatHubReference, type HubReference } from "./reference.ts";

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
  /** Called before waiting: before a new attempt, or, with 0 ms, for what the reason says, such as another download of the same file. */
  readonly onWait?: (reason: string, ms: number) => void;
  /** A connection that is silent for so long is given up and tried again; default 30,000. */
  readonly stallMs?: number;
  /** The same until the hub has answered for the first time; default 5,000. */
  readonly reachMs?: number;
  /** Attempts in a row that bring no new byte before giving up; default 6. */
  readonly attemptsMax?: number;
  /** Wait before the second attempt; doubles each time; default 1,000. */
  readonly retryBaseMs?: number;
  /** The same until the hub has answered for the first time; default 3. */
  readonly unreachedAttemptsMax?: number;
  /** What the file has to be; another one is refused before it is downloaded where the hub tells, else after. */
  readonly expected?: FileIdentity;
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

/** The hub's address, with a slash at its end. Throws HubError where it is none. */
export function hubAddress({ endpoint }: DownloadOptions): URL {
  const address = endpoint || Deno.env.get("HF_ENDPOINT") || "https://huggingface.co";
  const base = URL.parse(address.replace(/\/*$/, "/"));
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new HubError("reference", `HF_ENDPOINT must be an http(s) address, current value is ${address}`);
  }
  return base;
}

/** The token for the hub. */
export function hubToken({ token }: DownloadOptions): string | undefined {
  return token ?? Deno.env.get("HF_TOKEN");
}

function hubUrl(base: URL, { owner, repo, revision, path }: HubReference): URL {
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
export class Transfer {
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
    this.#url = hubUrl(hubAddress(options), reference);
  }

  /** Transfers until the part file is whole and right. Gives what the hub said of it. */
  async run(): Promise<FileIdentity> {
    const { attemptsMax = 6, retryBaseMs = 1000, unreachedAttemptsMax = UNREACHED_ATTEMPTS_MAX } =
      this.options;
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
          const attempts = Math.min(attemptsMax, unreachedAttemptsMax);
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
    await this.#verify();
    return { ...this.#note, size: this.part.bytes };
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
    try {
      return await request({
        url: this.#url,
        token: hubToken(this.options),
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
    const other = otherThan(this.options.expected, identity);
    if (other !== null) {
      await response.body?.cancel();
      throw new HubError("mismatch", `${this.#url.host} has another ${this.#name} by now: ${other}`);
    }
    await this.#restart();
    if (identity.size !== undefined) {
      try {
        await requireSpace(this.#name, identity.size, folderOf(this.part.path));
      } catch (error) {
        await response.body?.cancel();
        throw error;
      }
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

  async #verify(): Promise<void> {
    const known = { ...this.#note, ...this.options.expected };
    const found: FileIdentity = {
      size: this.part.bytes,
      sha256: this.part.sha256(),
      // What lies in git itself has no SHA-256 on the hub, but git's own name, which it takes a second reading to compute.
      blobId: known.sha256 === undefined && known.blobId !== undefined ? await this.part.blobId() : undefined,
    };
    const other = otherThan(known, found);
    if (other === null) return;
    throw new HubError(
      "mismatch",
      `${this.#name} arrived damaged and was removed: ${other}; repeat the command`,
    );
  }
}

/** How what was found differs from what was expected, as far as both are known. */
function otherThan(expected: FileIdentity = {}, found: FileIdentity): string | null {
  const facts = [["size", "size"], ["sha256", "SHA-256"], ["blobId", "git blob"]] as const;
  for (const [fact, name] of facts) {
    const [want, is] = [expected[fact], found[fact]];
    if (want !== undefined && is !== undefined && want !== is) return `its ${name} is ${is}, not ${want}`;
  }
  return null;
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
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
