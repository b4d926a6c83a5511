/** A registry of the JSR kind on this machine that serves the stand-ins, to test the other import map. @module */

import { createHash } from "node:crypto";

const NAMES = ["assert", "cli", "http"];
const VERSION = "1.0.0";

/** Serves `@std/assert`, `@std/cli` and `@std/http`, version 1.0.0. */
export class JsrStub implements AsyncDisposable {
  private constructor(readonly server: Deno.HttpServer<Deno.NetAddr>) {}

  static async start(): Promise<JsrStub> {
    const files = new Map<string, string>();
    for (const name of NAMES) {
      const source = await Deno.readTextFile(new URL(`../src/setup/std/${name}.ts`, import.meta.url));
      const checksum = `sha256-${createHash("sha256").update(source).digest("hex")}`;
      const size = new TextEncoder().encode(source).length;
      files.set(
        `/@std/${name}/meta.json`,
        JSON.stringify({ scope: "std", name, latest: VERSION, versions: { [VERSION]: {} } }),
      );
      files.set(
        `/@std/${name}/${VERSION}_meta.json`,
        JSON.stringify({ exports: { ".": "./mod.ts" }, manifest: { "/mod.ts": { size, checksum } } }),
      );
      files.set(`/@std/${name}/${VERSION}/mod.ts`, source);
    }
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
