/** A registry of npm's kind on this machine, which serves packages from folders. @module */

import { capture } from "../../src/setup/process.ts";

interface Tarball {
  readonly filename: string;
  readonly shasum: string;
  readonly integrity: string;
}

/** Serves one version of each package. Others are refused: a project's `.npmrc` sends only one scope here. */
export class NpmRegistry implements AsyncDisposable {
  /** Paths that were asked for, in order. */
  readonly requested: string[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #packuments = new Map<string, (url: string) => string>();
  readonly #tarballs = new Map<string, Uint8Array>();

  private constructor() {
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      const path = decodeURIComponent(new URL(request.url).pathname);
      this.requested.push(path);
      const tarball = this.#tarballs.get(path);
      if (tarball !== undefined) return new Response(tarball as BodyInit);
      const packument = this.#packuments.get(path);
      if (packument === undefined) return new Response("{}", { status: 404 });
      return new Response(packument(this.url), { headers: { "content-type": "application/json" } });
    });
  }

  /** Packs the folders as `npm publish` would, and serves them. */
  static async start(folders: readonly string[], temporary: string): Promise<NpmRegistry> {
    await using stack = new AsyncDisposableStack();
    const registry = stack.use(new NpmRegistry());
    for (const folder of folders) {
      const packed = await capture(["npm", "pack", "--json", "--pack-destination", temporary, folder]);
      if (packed?.code !== 0) throw new Error(`npm pack ${folder}: ${packed?.stderr}`);
      const [tarball]: Tarball[] = JSON.parse(packed.stdout);
      await registry.#add(folder, tarball, await Deno.readFile(`${temporary}/${tarball.filename}`));
    }
    stack.move();
    return registry;
  }

  async #add(folder: string, { filename, shasum, integrity }: Tarball, bytes: Uint8Array): Promise<void> {
    const manifest = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
    const { name, version } = manifest;
    const path = `/${name}/-/${filename}`;
    this.#tarballs.set(path, bytes);
    this.#packuments.set(`/${name}`, (url) =>
      JSON.stringify({
        name,
        "dist-tags": { latest: version },
        versions: {
          [version]: { ...manifest, dist: { tarball: `${url}${path.slice(1)}`, shasum, integrity } },
        },
      }));
  }

  /** The registry's address. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
