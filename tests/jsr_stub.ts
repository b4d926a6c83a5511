/** A registry of the JSR kind on this machine, which serves packages from memory. @module */

import { createHash } from "node:crypto";
import { LOCAL_MAP } from "../src/setup/import_map.ts";

/** One version of a package. */
export interface JsrPackage {
  /** With its scope: `@std/assert`. */
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  /** Texts by path: `/mod.ts`. */
  readonly files: ReadonlyMap<string, string>;
}

/** The stand-ins, as packages of version 1.0.0: `@std/http/etag` is the export `./etag` of `@std/http`. */
export async function standIns(): Promise<JsrPackage[]> {
  const { imports } = JSON.parse(await Deno.readTextFile(LOCAL_MAP)) as { imports: Record<string, string> };
  const packages = new Map<string, { exports: Record<string, string>; files: Map<string, string> }>();
  for (const [specifier, target] of Object.entries(imports)) {
    if (!specifier.startsWith("@std/")) continue;
    const [scope, short, ...path] = specifier.split("/");
    const name = `${scope}/${short}`;
    const file = `./${path.join("/") || "mod"}.ts`;
    const { exports, files } = packages.get(name) ??
      { exports: {} as Record<string, string>, files: new Map<string, string>() };
    exports[[".", ...path].join("/")] = file;
    files.set(file.slice(1), await Deno.readTextFile(new URL(target, `file://${LOCAL_MAP}`)));
    packages.set(name, { exports, files });
  }
  return [...packages].map(([name, parts]) => ({ name, version: "1.0.0", ...parts }));
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
