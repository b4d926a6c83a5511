/**
 * Clients of others, unchanged, against a server of ours: what works is a table, and `--write` puts it into
 * docs/clients.md. The examples of that page are run, too.
 *
 * deno task run tests/clients/main.ts [--only openai,java] [--model FILE] [--write] [--torch] [--venv FOLDER]
 *
 * It needs Python 3.10 or newer, and PyPI for its first run. Java's client runs where a JDK is installed.
 * @module
 */

import { startServerProcess } from "../../bench/support/server_process.ts";
import { runScript } from "../../bench/support/script.ts";
import { type Arguments, type Command } from "../../src/cli/command.ts";
import { resolveModelFile } from "../../src/cli/model_option.ts";
import { renderTable } from "../../src/cli/table.ts";
import { pathOf, ROOT } from "../../src/setup/paths.ts";
import { capture } from "../../src/setup/process.ts";
import { note } from "../../src/setup/progress.ts";
import { compileJava, hasTorch, pythonOf, versionsOf } from "./environment.ts";
import { type Example, exampleOf, writeTable } from "./page.ts";
import { writeHfTokenizer } from "./hf_tokenizer.ts";
import { type Check, type ClientResult, failureLines, readChecks, tableRows } from "./results.ts";

const KEY = "key-of-a-client";
const TIMEOUT_MS = 10 * 60 * 1000;
const PYTHON = pathOf(new URL("./python", import.meta.url));

/** Nothing may come from a hub: tasks, texts and the tokenizer are made here. */
const OFFLINE = {
  ...{ HF_HUB_OFFLINE: "1", HF_DATASETS_OFFLINE: "1", LITELLM_LOCAL_MODEL_COST_MAP: "True" },
  ...{ TOKENIZERS_PARALLELISM: "false", PYTHONPATH: PYTHON, PYTHONWARNINGS: "ignore" },
};
/** For guidellm. */
const PROMPTS = Array.from(
  { length: 64 },
  (_, n) => JSON.stringify({ prompt: `What is ${n} + 25?`, output_tokens_count: 12 }) + "\n",
).join("");

/** Clients of Python: the program is python/NAME_client.py, the example is found under the package's name. */
const CLIENTS: readonly {
  readonly name: string;
  readonly package: string;
  readonly needs?: "torch" | "tokenizer";
}[] = [
  { name: "openai", package: "openai" },
  { name: "litellm", package: "litellm" },
  { name: "langchain", package: "langchain-openai" },
  { name: "anthropic", package: "anthropic" },
  { name: "instructor", package: "instructor" },
  { name: "llm", package: "llm" },
  { name: "llama_index", package: "llama-index-llms-openai-like" },
  { name: "autogen", package: "autogen-agentchat" },
  { name: "lm_eval", package: "lm-eval", needs: "tokenizer" },
  { name: "guidellm", package: "guidellm", needs: "torch" },
  { name: "httpx", package: "httpx" },
];

const COMMAND: Command = {
  name: "tests/clients/main.ts",
  summary: "run clients of others against a server of ours",
  usage: "[--only NAME,…] [--model FILE] [--write] [--torch] [--venv FOLDER]",
  positionals: { min: 0, max: 0 },
  options: [
    {
      name: "only",
      value: "NAMES",
      help: `some of ${CLIENTS.map(({ name }) => name).join(", ")}, java`,
      isList: true,
    },
    { name: "model", alias: "m", value: "PATH|hf:…", help: "GGUF file", default: "demo" },
    { name: "port", value: "N", help: "the server's; 0: any that is free", default: "0" },
    { name: "write", help: "write the table into docs/clients.md" },
    { name: "torch", help: "install torch, several GB, which guidellm needs" },
    { name: "venv", value: "FOLDER", help: "another place for the packages than .tools/clients" },
  ],
  run: runClients,
};

async function runClients(args: Arguments): Promise<number> {
  const only = args.values.get("only")?.split(",").filter((name) => name !== "");
  const isWanted = (name: string) => only === undefined || only.length === 0 || only.includes(name);
  const python = await pythonOf({ folder: args.values.get("venv"), torch: args.switches.has("torch") });
  const versions = await versionsOf(python);
  const model = await resolveModelFile(args.values.get("model")!);
  const folder = await Deno.makeTempDir({ prefix: "kumi-clients-" });
  Deno.env.set("KUMI_API_KEYS", KEY);
  // The server's own test requests would be counted as a client's.
  const server = await startServerProcess([
    "--model",
    model,
    "--port",
    args.values.get("port")!,
    "--canary-seconds",
    "0",
  ]);
  const results: ClientResult[] = [];
  try {
    const { id, context } = await modelOf(server.url);
    const env = {
      ...{ KUMI_URL: server.url, KUMI_KEY: KEY, KUMI_MODEL: id, KUMI_CONTEXT: `${context}` },
      ...{
        KUMI_TOKENIZER: `${folder}/tokenizer`,
        KUMI_TASKS: `${folder}/tasks`,
        KUMI_PROMPTS: `${folder}/prompts.jsonl`,
      },
      ...OFFLINE,
      KUMI_FOLDER: folder,
    };
    const lacks = {
      torch: await hasTorch(python) ? undefined : "torch is not installed (--torch installs it)",
      tokenizer: await writeHfTokenizer(model, `${folder}/tokenizer`)
        ? undefined
        : "its tokenizer does not know this vocabulary",
    };
    await capture([python, `${PYTHON}/lm_eval_tasks.py`, env.KUMI_TASKS]);
    await Deno.writeTextFile(env.KUMI_PROMPTS, PROMPTS);
    const place = {
      ...{ url: server.url, key: KEY, model: id, tokenizer: env.KUMI_TOKENIZER },
      ...{ tasks: env.KUMI_TASKS, prompts: env.KUMI_PROMPTS },
    };
    for (const { name, package: of, needs } of CLIENTS) {
      if (!isWanted(name)) continue;
      const client = `${of} ${versions.get(of)}`;
      const skipped = needs === undefined ? undefined : lacks[needs];
      if (skipped !== undefined) {
        results.push({ client, checks: [], skipped });
        continue;
      }
      note(`${client} …`);
      const example = await exampleOf(of, place);
      const checks = example === undefined ? [] : [await documented(python, example, env)];
      checks.push(...await program([python, `${PYTHON}/${name}_client.py`], env));
      results.push({ client, checks });
    }
    if (isWanted("java")) results.push(await java(folder, env));
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
  return await report(results, args.switches.has("write"));
}

/** The model's name and its context, as the server says. */
async function modelOf(url: string): Promise<{ id: string; context: number }> {
  const response = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${KEY}` } });
  const [{ id, kumi }] = (await response.json()).data;
  return { id, context: kumi.context_length };
}

/** Runs a client's program. One that ends otherwise than with its last check has a failed check for that. */
async function program(command: readonly string[], env: Record<string, string>): Promise<Check[]> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const result = await capture(command, { env, signal });
    const checks = readChecks(result?.stdout ?? "");
    if (result?.code === 0) return checks;
    const last = result?.stderr.trim().split("\n").at(-1) ?? "not found";
    return [...checks, {
      check: "program",
      ok: false,
      detail: `status ${result?.code}: ${last}`.slice(0, 300),
    }];
  } catch (error) {
    if (!signal.aborted) throw error;
    return [{ check: "program", ok: false, detail: `did not end within ${TIMEOUT_MS / 60_000} minutes` }];
  }
}

/** Runs the example of the page. */
async function documented(python: string, example: Example, env: Record<string, string>): Promise<Check> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const PATH = `${python.replace(/\/[^/]*$/, "")}:${Deno.env.get("PATH")}`;
  const command = example.language === "sh" ? ["sh", "-c", example.code] : [python, "-c", example.code];
  // A client may write files where it stands.
  const result = await capture(command, { cwd: env.KUMI_FOLDER, env: { ...env, PATH }, signal });
  const last = result?.stderr.trim().split("\n").at(-1) ?? "";
  return {
    check: "documented",
    ok: result?.code === 0,
    detail: result?.code === 0 ? "" : last.slice(0, 300),
  };
}

async function java(folder: string, env: Record<string, string>): Promise<ClientResult> {
  const version = await compileJava(folder);
  if (version === undefined) {
    return {
      client: "Java's HttpClient",
      checks: [],
      skipped: "no JDK is installed (Debian, Ubuntu: apt-get install default-jdk-headless)",
    };
  }
  note(`Java ${version} …`);
  return {
    client: `Java's HttpClient ${version}`,
    checks: await program(["java", "-cp", folder, "Client"], env),
  };
}

async function report(results: readonly ClientResult[], write: boolean): Promise<number> {
  const { header, rows } = tableRows(results);
  console.log(renderTable(header, rows));
  const failures = failureLines(results);
  for (const line of failures) console.log(line);
  if (write) await writeTable(`${ROOT}/docs/clients.md`, results);
  return failures.length > 0 ? 1 : 0;
}

if (import.meta.main) await runScript(COMMAND);
