/** Downloads in a company's network: through its proxy, with certificates of its own authority. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { HubStub } from "./hub_stub.ts";
import { testWithPrograms } from "./support/optional.ts";

const HUB = "hub.example", STORAGE = "storage.example";

/** An authority, and a certificate of both hosts by it. Resolves to the folder with ca.pem, host.pem, host.key. */
async function certificates(openssl: string, folder: string): Promise<void> {
  const run = async (...args: string[]) => {
    const done = await capture([openssl, ...args], { cwd: folder });
    assertEquals(done?.code, 0, done?.stderr);
  };
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await run(
    "req",
    "-x509",
    ...curve,
    "-days",
    "2",
    "-subj",
    "/CN=Company CA",
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
  );
  await run("req", ...curve, "-subj", `/CN=${HUB}`, "-keyout", "host.key", "-out", "host.csr");
  await Deno.writeTextFile(`${folder}/host.ext`, `subjectAltName=DNS:${HUB},DNS:${STORAGE}\n`);
  const authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
  await run(
    "x509",
    "-req",
    "-in",
    "host.csr",
    ...authority,
    "-days",
    "2",
    "-extfile",
    "host.ext",
    "-out",
    "host.pem",
  );
}

/** A proxy that opens tunnels to one server, whatever host is asked for, and writes down which was. */
class Tunnels implements Disposable {
  readonly asked: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  constructor(readonly target: number) {
    void this.#accept();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) this.#serve(connection).catch(() => {});
    } catch {
      // It was closed.
    }
  }

  async #serve(client: Deno.Conn): Promise<void> {
    using _client = client;
    const head = new Uint8Array(4096);
    const count = await client.read(head) ?? 0;
    const [, host] = /^CONNECT (\S+):443 /.exec(new TextDecoder().decode(head.subarray(0, count))) ?? [];
    if (host === undefined) return;
    this.asked.push(host);
    using server = await Deno.connect({ hostname: "127.0.0.1", port: this.target });
    await client.write(new TextEncoder().encode("HTTP/1.1 200 Connection established\r\n\r\n"));
    const there = client.readable.pipeTo(server.writable), back = server.readable.pipeTo(client.writable);
    await Promise.all([there, back]).catch(() => {});
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

testWithPrograms(
  "a model is downloaded through HTTPS_PROXY, with a company's authority",
  ["openssl"],
  async ([openssl]) => {
    const model = await Deno.readFile(`${ROOT}/examples/demo-model/kumi-demo-q8_0.gguf`);
    const folder = await Deno.makeTempDir({ prefix: "kumi-proxy-" });
    await certificates(openssl, folder);
    await using hub = new HubStub(model);
    hub.location = `https://${STORAGE}/file`;
    const [cert, key] = await Promise.all(
      ["host.pem", "host.key"].map((each) => Deno.readTextFile(`${folder}/${each}`)),
    );
    // Both hosts behind one certificate: what comes for the storage goes to the stub's other server.
    await using front = Deno.serve(
      { hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} },
      (request) => {
        const { pathname, host } = new URL(request.url);
        const base = host === HUB ? hub.endpoint : hub.storage;
        return fetch(`${base}${pathname}`, { headers: request.headers, redirect: "manual" });
      },
    );
    using proxy = new Tunnels(front.addr.port);
    try {
      const inspect = (env: Record<string, string>) =>
        capture([Deno.execPath(), "task", "--quiet", "kumi", "inspect", "hf:kumi/demo/demo.gguf", "--json"], {
          cwd: ROOT,
          env: {
            HF_ENDPOINT: `https://${HUB}`,
            KUMI_CACHE: `${folder}/cache`,
            NO_COLOR: "1",
            DENO_NO_UPDATE_CHECK: "1",
            ...env,
          },
        });
      const distrusted = await inspect({ HTTPS_PROXY: proxy.url });
      assertEquals(distrusted?.code, 1, "the authority is nobody's that Deno knows");
      assertStringIncludes(distrusted!.stderr.toLowerCase(), "certificate");
      proxy.asked.length = 0;
      const trusted = await inspect({ HTTPS_PROXY: proxy.url, DENO_CERT: `${folder}/ca.pem` });
      assertEquals(trusted?.code, 0, trusted?.stderr);
      assertStringIncludes(trusted!.stdout, "general.architecture");
      assertEquals([...new Set(proxy.asked)], [HUB, STORAGE]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
