/** A hub and a storage server on this machine, to test downloads against. @module */

import { createHash } from "node:crypto";

/** What one request to the storage server does. */
export type Fault =
  | { readonly kind: "cut"; readonly afterBytes: number }
  | { readonly kind: "status"; readonly status: number; readonly retryAfter?: string }
  | { readonly kind: "silence" };

/** A repository of several files. */
export interface StubRepository {
  /** By their paths. Those that end in .safetensors or .gguf lie in the storage, the others in git. */
  readonly files: Map<string, Uint8Array>;
  /** Of its only commit. */
  commit: string;
  /** Whether its files can be listed. */
  isListed: boolean;
}

/** Serves one file under all names, or those of a repository, the way the real hub does: the hub redirects, with the file's size and SHA-256, to a storage server. */
export class HubStub implements AsyncDisposable {
  readonly #servers: Deno.HttpServer<Deno.NetAddr>[];
  /** Requests in order: which server, the headers of interest. */
  readonly log: { server: string; range: string | null; authorization: string | null; path: string }[] = [];
  /** Faults of the next requests to storage. */
  readonly faults: Fault[] = [];
  /** Status that the hub answers instead of redirecting. */
  hubStatus = 302;
  /** The same for its next answers. */
  hubStatuses: number[] = [];
  /** Bytes of the file whose SHA-256 and size the hub announces; default the content. */
  announced?: Uint8Array;
  /** Whether the hub sends its X-Linked headers. */
  linked = true;
  /** Whether storage honours Range. */
  ranges = true;
  /** Where the hub redirects to; default the storage server. */
  location?: string;

  /** Instead of `content` under every name. */
  repository?: StubRepository;

  constructor(public content: Uint8Array) {
    const listen = (handler: (request: Request) => Response) =>
      Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
    const storage = listen((request) => this.#storage(request));
    this.#servers = [storage, listen((request) => this.#hub(request, storage.addr.port))];
  }

  /** The hub's address. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.#servers[1].addr.port}`;
  }

  /** The storage's address. */
  get storage(): string {
    return `http://127.0.0.1:${this.#servers[0].addr.port}`;
  }

  /** The name that git gives a file. */
  static blobId(bytes: Uint8Array): string {
    return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
  }

  static sha256(bytes: Uint8Array): string {
    return createHash("sha256").update(bytes).digest("hex");
  }

  #record(server: string, request: Request): void {
    const { headers } = request;
    const path = new URL(request.url).pathname;
    this.log.push({ server, range: headers.get("range"), authorization: headers.get("authorization"), path });
  }

  #hub(request: Request, storagePort: number): Response {
    this.#record("hub", request);
    const status = this.hubStatuses.shift() ?? this.hubStatus;
    if (status !== 302) return new Response("no", { status });
    const { pathname } = new URL(request.url);
    if (this.repository !== undefined) {
      const path = pathname.split("/").slice(5).join("/");
      const file = this.repository.files.get(path);
      if (pathname.startsWith("/api/models/")) return this.#list(this.repository);
      if (file === undefined) return new Response("no", { status: 404 });
      if (!/\.(safetensors|gguf)$/.test(path)) return this.#small(file, this.repository);
    }
    const name = this.repository === undefined ? "/blob" : pathname;
    const announced = this.announced ?? this.#stored(name);
    const headers = new Headers({ location: this.location ?? `http://127.0.0.1:${storagePort}${name}` });
    if (this.repository !== undefined) headers.set("x-repo-commit", this.repository.commit);
    if (this.linked) {
      headers.set("x-linked-size", String(announced.length));
      headers.set("x-linked-etag", `"${HubStub.sha256(announced)}"`);
    }
    return new Response(null, { status: 302, headers });
  }

  #list({ files, isListed }: StubRepository): Response {
    if (!isListed) return new Response("no", { status: 404 });
    const list = Array.from(files, ([path, { length }]) => ({ type: "file", path, size: length }));
    return Response.json([{ type: "directory", path: "folder", size: 0 }, ...list]);
  }

  /** A file that lies in git itself comes from the hub, without a SHA-256. */
  #small(file: Uint8Array, { commit }: StubRepository): Response {
    const announced = this.announced ?? file;
    const headers = { etag: `"${HubStub.blobId(announced)}"`, "x-repo-commit": commit };
    return new Response(new Uint8Array(file), { headers });
  }

  #stored(pathname: string): Uint8Array {
    return this.repository?.files.get(pathname.split("/").slice(5).join("/")) ?? this.content;
  }

  #storage(request: Request): Response {
    this.#record("storage", request);
    const content = this.#stored(new URL(request.url).pathname);
    const fault = this.faults.shift();
    if (fault?.kind === "status") {
      const headers = fault.retryAfter === undefined ? undefined : { "retry-after": fault.retryAfter };
      return new Response("no", { status: fault.status, headers });
    }
    const etag = `"v-${HubStub.sha256(content).slice(0, 16)}"`;
    const start = /^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1];
    const isSame = request.headers.get("if-range") === etag;
    const size = content.length;
    const from = start !== undefined && isSame && this.ranges ? Number(start) : 0;
    if (from >= size && size > 0) {
      return new Response(null, { status: 416, headers: { "content-range": `bytes */${size}` } });
    }
    const body = content.subarray(from);
    const headers = new Headers({ etag, "content-length": String(body.length) });
    if (from > 0) headers.set("content-range", `bytes ${from}-${size - 1}/${size}`);
    return new Response(stream(body, fault), { status: from > 0 ? 206 : 200, headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.shutdown()));
  }
}

function stream(body: Uint8Array, fault: Fault | undefined): ReadableStream<Uint8Array> {
  const chunkBytes = 8 << 10;
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (fault?.kind === "silence" && sent > 0) return new Promise(() => {});
      if (fault?.kind === "cut" && sent >= fault.afterBytes) return controller.close();
      const end = Math.min(body.length, sent + chunkBytes);
      if (end > sent) controller.enqueue(body.slice(sent, end));
      sent = end;
      if (sent >= body.length) controller.close();
    },
  });
}
