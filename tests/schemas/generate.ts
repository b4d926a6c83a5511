/**
 * Schemas as JavaScript's libraries emit them: zod, OpenAI's Agents SDK, the AI SDK, servers of MCP.
 *
 * deno run -A --import-map src/setup/import_map.local.json tests/schemas/generate.ts > tests/schemas/javascript.jsonl
 * @module
 */

import { z } from "zod";
import { npmModules } from "../support/npm.ts";

const modules = await npmModules(
  "@openai/agents@0.20.0",
  "ai@7.0.173",
  "@modelcontextprotocol/sdk@1.32.2/server/mcp.js",
  "@modelcontextprotocol/sdk@1.32.2/client/index.js",
  "@modelcontextprotocol/sdk@1.32.2/inMemory.js",
);
if (modules === null) throw new Error("npm cannot be reached");
const [agents, ai, mcpServer, mcpClient, mcpMemory] = modules;

const address = z.object({
  street: z.string(),
  number: z.int().positive(),
  postalCode: z.string().regex(/^\d{3}-\d{4}$/),
  country: z.enum(["JP", "DE", "BR"]),
});
const person = z.object({
  id: z.uuid(),
  name: z.string().min(1).max(80).describe("As it is written in a passport"),
  nickname: z.string().nullable(),
  born: z.iso.date(),
  email: z.email(),
  address,
});
const comment: z.ZodType = z.object({
  author: z.string(),
  text: z.string(),
  get replies() {
    return z.array(comment);
  },
});

/** Objects all of whose members are required: what strict modes take. */
const STRICT: Record<string, z.ZodObject> = {
  person,
  event: z.object({
    title: z.string(),
    starts: z.iso.datetime(),
    minutes: z.number().int().min(5).max(480),
    participants: z.array(z.object({ name: z.string(), role: z.enum(["host", "guest"]) })),
  }),
  solution: z.object({
    steps: z.array(z.object({ explanation: z.string(), output: z.string() })),
    finalAnswer: z.string(),
  }),
  label: z.object({
    label: z.enum(["positive", "negative", "neutral"]),
    confidence: z.number().min(0).max(1),
  }),
  shapes: z.object({
    shapes: z.array(z.union([
      z.object({ kind: z.literal("circle"), radius: z.number() }),
      z.object({ kind: z.literal("box"), width: z.number(), height: z.number() }),
    ])),
  }),
  weather: z.object({ city: z.string(), unit: z.enum(["celsius", "fahrenheit"]).nullable() }),
  query: z.object({
    table: z.enum(["orders", "customers"]),
    conditions: z.array(z.object({
      column: z.string(),
      operator: z.enum(["=", ">", "<", "<=", ">=", "!="]),
      value: z.union([z.string(), z.number(), z.boolean(), z.null()]),
    })),
    limit: z.int().min(1).max(1000),
  }),
  move: z.object({ from: z.string().regex(/^[a-h][1-8]$/), to: z.string().regex(/^[a-h][1-8]$/) }),
  empty: z.object({}),
};

const FREE: Record<string, z.ZodType> = {
  ...STRICT,
  comment,
  settings: z.object({
    retries: z.int().min(0).max(9).default(3),
    hosts: z.array(z.ipv4()).max(4).optional(),
    flags: z.record(z.string(), z.boolean()),
    byLevel: z.record(z.enum(["low", "high"]), z.number()),
  }),
  strict: z.strictObject({ a: z.string(), b: z.number().optional() }),
  loose: z.looseObject({ a: z.string() }),
  rest: z.object({ a: z.string() }).catchall(z.number()),
  pair: z.tuple([z.number(), z.number()]),
  listed: z.tuple([z.string()]).rest(z.number()),
  discriminated: z.discriminatedUnion("type", [
    z.object({ type: z.literal("text"), text: z.string() }),
    z.object({ type: z.literal("image"), url: z.url(), detail: z.enum(["low", "high"]).optional() }),
  ]),
  formats: z.object({
    date: z.iso.date(),
    time: z.iso.time(),
    moment: z.iso.datetime({ offset: true }),
    duration: z.iso.duration(),
    email: z.email(),
    uuid: z.uuidv4(),
    address: z.ipv6(),
    text: z.base64(),
    slug: z.string().startsWith("x-").max(20),
    ends: z.string().endsWith(".ts"),
    cuid: z.cuid2(),
    ulid: z.ulid(),
    nano: z.nanoid(),
    jwt: z.jwt(),
    number: z.e164(),
  }),
  numbers: z.object({
    step: z.number().multipleOf(0.25),
    even: z.int().multipleOf(2),
    open: z.number().gt(0).lt(1),
    int32: z.int32(),
    float: z.float32(),
    safe: z.number().int(),
  }),
  literals: z.object({ a: z.literal([1, "x", null, true]), b: z.literal(3) }),
  anything: z.object({ any: z.any(), unknown: z.unknown(), json: z.json() }),
  both: z.intersection(z.object({ a: z.string() }), z.object({ b: z.number() })),
  piped: z.string().transform((text) => text.length).pipe(z.number()),
  readonly: z.object({ list: z.array(z.string()).min(1).readonly(), once: z.string().optional().nullable() }),
  refined: z.object({ a: z.string().trim().toLowerCase(), b: z.coerce.number() }),
  native: z.object({ level: z.enum({ Low: 1, High: 2 }) }),
};

const TOOLS = {
  read_file: { path: z.string(), head: z.number().optional(), tail: z.number().optional() },
  write_file: { path: z.string(), content: z.string() },
  edit_file: {
    path: z.string(),
    edits: z.array(z.object({ oldText: z.string(), newText: z.string() })),
    dryRun: z.boolean().default(false),
  },
  read_many: { paths: z.array(z.string()).min(1) },
  list_directory: { path: z.string(), sortBy: z.enum(["name", "size"]).optional().default("name") },
  search_files: { path: z.string(), pattern: z.string(), excludePatterns: z.array(z.string()).optional() },
  git_status: { repo: z.string() },
  git_log: { repo: z.string(), max: z.number().int().default(10), since: z.string().optional() },
  git_branch: { repo: z.string(), kind: z.enum(["local", "remote", "all"]), contains: z.string().nullish() },
  fetch: {
    url: z.url(),
    headers: z.record(z.string(), z.string()).optional(),
    max_length: z.number().int().positive().max(1_000_000).default(5000),
    start_index: z.number().int().min(0).default(0),
  },
  current_time: { timezone: z.string() },
  convert_time: {
    source: z.string(),
    time: z.string().regex(/^([01]?\d|2[0-3]):[0-5]\d$/),
    target: z.string(),
  },
  add_entities: {
    entities: z.array(z.object({ name: z.string(), type: z.string(), observations: z.array(z.string()) })),
  },
  think: {
    thought: z.string(),
    number: z.number().int().min(1),
    total: z.number().int().min(1),
    next: z.boolean(),
    revises: z.number().int().min(1).optional(),
  },
};

interface Sample {
  readonly source: string;
  readonly name: string;
  readonly schema: unknown;
}
const found: Sample[] = [];
/** Some of these refuse what they cannot express. */
function add(source: string, name: string, make: () => unknown): void {
  try {
    found.push({ source, name, schema: make() });
  } catch (error) {
    console.error(`${source} does not express ${name}: ${error}`);
  }
}

for (const [name, schema] of Object.entries(FREE)) {
  for (const target of ["draft-2020-12", "draft-7"] as const) {
    for (const io of ["input", "output"] as const) {
      add(`zod ${target} ${io}`, name, () => z.toJSONSchema(schema, { target, io }));
    }
  }
  add("zod, all inline", name, () => z.toJSONSchema(schema, { reused: "ref" }));
  add("ai", name, () => ai.zodSchema(schema).jsonSchema);
}
for (const [name, schema] of Object.entries(STRICT)) {
  add(
    "agents",
    name,
    () => agents.tool({ name, description: name, parameters: schema, execute: () => "" }).parameters,
  );
}
const server = new mcpServer.McpServer({ name: "examples", version: "1.0.0" });
for (const [name, inputSchema] of Object.entries(TOOLS)) {
  const content = () => ({ content: [] });
  server.registerTool(name, { description: name, inputSchema }, content);
}
server.registerTool("person", {
  description: "a person",
  inputSchema: { id: z.uuid() },
  outputSchema: person.shape,
}, () => ({ content: [], structuredContent: {} }));
const client = new mcpClient.Client({ name: "collector", version: "1.0.0" });
const [near, far] = mcpMemory.InMemoryTransport.createLinkedPair();
await Promise.all([server.connect(near), client.connect(far)]);
for (const { name, inputSchema, outputSchema } of (await client.listTools()).tools) {
  add("mcp", name, () => inputSchema);
  if (outputSchema !== undefined) add("mcp output", name, () => outputSchema);
}
await client.close();
for (const sample of found) console.log(JSON.stringify(sample));
Deno.exit(0);
