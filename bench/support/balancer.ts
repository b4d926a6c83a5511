/** HAProxy or nginx with the configuration of deploy/, before servers of this machine. @module */

import { ROOT } from "../../src/setup/paths.ts";

/** The ones that deploy/ knows. */
export const BALANCERS = ["haproxy", "nginx"] as const;
export type BalancerName = typeof BALANCERS[number];

/** Ports of the servers in deploy/'s configurations, in order. */
const SERVER_PORTS = [8081, 8082, 8083];
const PATIENCE_MS = 10_000;

/** A port that was free a moment ago. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A balancer that runs until it is disposed. */
export class Balancer implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: Deno.ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** Throws Deno.errors.NotFound where the program is not there, an Error with its words where it does not start. */
  static async start(name: BalancerName, ports: readonly number[]): Promise<Balancer> {
    const port = freePort();
    const folder = await Deno.makeTempDir({ prefix: "kumi-balancer-" });
    const file = `${folder}/${name}.conf`;
    const given = await Deno.readTextFile(
      `${ROOT}/deploy/${name === "haproxy" ? "haproxy/haproxy.cfg" : "nginx/kumi.conf"}`,
    );
    let text = given.replace(/(bind :|listen )8080/, `$1${name === "nginx" ? "127.0.0.1:" : ""}${port}`)
      .replace(`bind :${port}`, `bind 127.0.0.1:${port}`);
    ports.forEach((each, i) => text = text.replaceAll(`:${SERVER_PORTS[i]}`, `:${each}`));
    await Deno.writeTextFile(file, name === "nginx" ? nginxMain(folder, text) : text);
    const args = name === "nginx" ? ["-c", file, "-p", folder] : ["-db", "-f", file];
    const child = new Deno.Command(name, { args, stdout: "null", stderr: "piped" }).spawn();
    const words = new Response(child.stderr).text();
    const balancer = new Balancer(`http://127.0.0.1:${port}`, child, folder);
    try {
      await answers(`${balancer.url}/livez`);
    } catch (error) {
      await balancer[Symbol.asyncDispose]();
      throw new Error(`${name} did not start: ${await words}`, { cause: error });
    }
    words.catch(() => {});
    return balancer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** The rest of a configuration: in the foreground, with files of its own, as whoever starts it. */
function nginxMain(folder: string, http: string): string {
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path ${folder}/${kind};`).join("\n");
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
${places}
${http}
}
`;
}

async function answers(url: string): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (true) {
    try {
      const response = await fetch(url);
      await response.body?.cancel();
      if (response.ok) return;
      throw new Error(`${url} answers ${response.status}`);
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
