/** A Prometheus that scrapes one server of this machine. */
import { freePort } from "../../bench/support/balancer.ts";

const PATIENCE_MS = 30_000;

/** A rule as its interface tells of it. */
export interface Rule {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  readonly state: string;
}

/** Runs until it is disposed. */
export class Prometheus implements AsyncDisposable {
  readonly #url: string;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: Deno.ChildProcess, folder: string) {
    this.#url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** Scrapes the port twice a second. Throws an Error with Prometheus' words where it does not start. */
  static async start(program: string, port: number, rules: string): Promise<Prometheus> {
    const folder = await Deno.makeTempDir({ prefix: "kumi-prometheus-" });
    const config = `${folder}/prometheus.yaml`, own = freePort();
    await Deno.writeTextFile(
      config,
      `global: { scrape_interval: 500ms, evaluation_interval: 1s }
rule_files: [${JSON.stringify(rules)}]
scrape_configs:
  - job_name: kumi
    static_configs: [{ targets: ["127.0.0.1:${port}"] }]
`,
    );
    const args = [`--config.file=${config}`, `--storage.tsdb.path=${folder}/data`, "--log.level=warn"];
    const child = new Deno.Command(program, {
      args: [...args, `--web.listen-address=127.0.0.1:${own}`],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const words = new Response(child.stderr).text();
    const prometheus = new Prometheus(`http://127.0.0.1:${own}`, child, folder);
    const until = performance.now() + PATIENCE_MS;
    let hasEnded = false;
    child.status.then(() => hasEnded = true);
    while (true) {
      const response = await fetch(`${prometheus.#url}/-/ready`).catch(() => null);
      await response?.body?.cancel();
      if (response?.ok) break;
      if (hasEnded || performance.now() > until) {
        await prometheus[Symbol.asyncDispose]();
        throw new Error(`Prometheus did not start: ${await words}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    words.catch(() => {});
    return prometheus;
  }

  async #get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#url}/api/v1/${path}`);
    const { status, data, error } = await response.json();
    if (status !== "success") throw new Error(`${decodeURIComponent(path)}: ${error}`);
    return data;
  }

  /** The values of a panel's expression now, Grafana's variables filled in. Throws an Error for one that is none. */
  async numbers(expression: string): Promise<number[]> {
    const query = expression.replaceAll("$instance", ".*").replaceAll("$__rate_interval", "1m");
    const path = `query?query=${encodeURIComponent(query)}`;
    const { result } = await this.#get<{ result: { value: [number, string] }[] }>(path);
    return result.map(({ value }) => Number(value[1]));
  }

  /** Values of a label of a metric. */
  labels(label: string, metric: string): Promise<string[]> {
    return this.#get(`label/${label}/values?match[]=${encodeURIComponent(metric)}`);
  }

  /** All rules, in order. */
  async rules(): Promise<Rule[]> {
    const { groups } = await this.#get<{ groups: { rules: Rule[] }[] }>("rules");
    return groups.flatMap(({ rules }) => rules);
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
