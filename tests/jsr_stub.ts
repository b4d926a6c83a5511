/** A registry of the JSR kind on this machine, which serves packages from memory. @module */

import { createHash } from "node:crypto";

/** One version of a package. */
export interface JsrPackage {
  /** With its scope: `@std/assert`. */
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  /** Texts by path: `/mod.ts`. */
  readonly files: ReadonlyMap<string, string>;
}

/** The stand-ins for `@std/assert`, `@std/cli` and `@std/http`, as packages of version 1.0.0. */
export async function standIns(): Promise<JsrPackage[]> {
  return await Promise.all(["assert", "cli", "http"].map(async (name) => ({
    name: `@std/${name}`,
    version: "1.0.0",
    exports: { ".": "./mod.ts" },
    files: new Map([[
      "/mod.ts",
      await Deno.readTextFile(new URL(`../src/setup/std/${name}.ts`, import.meta.url)),
    ]]),
  })));
}

function addTo(files: Map<string, string>, { name, version, exports, files: own }: JsrPackage): void {
  const [scope, short] = name.slice(1).split("/");
  files.set(
    `/${name}/meta.json`,
    JSON.stringify({ scope, name: short, latest: version, versions: { [version]: {} } }),
  );
  const manifest: Record<string, { size: number; checksum: string }> = {};
  for (const [path, text] of own) {
    const checksum = `sha256-${createHash("sha256").update(text).digest("hex")}`;
    manifest[path] = { size: new TextEncoder().encode(text).length, checksum };
    files.set(`/${name}/${version}${path}`, text);
  }
  files.set(`/${name}/${version}_meta.json`, JSON.stringify({ exports, manifest }));
}

export class JsrStub implements AsyncDisposable {
  private constructor(readonly server: Deno.HttpServer<Deno.NetAddr>) {}

  /** Serves the packages, by default the stand-ins. */
  static async start(packages?: readonly JsrPackage[]): Promise<JsrStub> {
    const files = new Map<string, string>();
    for (const each of packages ?? await standIns()) addTo(files, each);
    return new JsrStub(
      Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
        const { pathname } = new URL(request.url);
        const text = files.get(pathname);
        const type = pathname.endsWith(".ts") ? "application/typescript" : "application/json";
        return new Response(text ?? "not found", {
          status: text === undefined ? 404 : 200,
          headers: { "content-type": text === undefined ? "text/plain" : type },
        });
      }),
    );
  }

  /** The registry's address. */
  get url(): string {
    return `http://127.0.0.1:${this.server.addr.port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.shutdown();
  }
}
