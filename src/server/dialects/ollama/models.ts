/** What is served, as Ollama's clients ask for it. @module */

import { createHash } from "node:crypto";
import type { ModelInfo } from "../../../protocol/model_info.ts";
import { VERSION } from "../../../protocol/version.ts";
import { badField } from "../../api_error.ts";
import { object } from "../../schema/fields.ts";
import type { ListedModel } from "../../models.ts";
import { dialect } from "../dialect.ts";
import { OLLAMA_ERRORS, withoutTag } from "./answers.ts";
import { SHOW_BODY } from "./fields.ts";

const STARTED = new Date().toISOString();
/** A model stays as long as the server does. */
const FOREVER = "9999-12-31T23:59:59Z";

function detailsOf({ architecture, parameters }: ModelInfo) {
  return {
    parent_model: "",
    format: "gguf",
    family: architecture,
    families: [architecture],
    parameter_size: sizeText(parameters),
    quantization_level: "unknown",
  };
}

/** Such as 134.5M. */
function sizeText(parameters: number): string {
  const [unit, size] = parameters >= 1e9 ? ["B", 1e9] : ["M", 1e6];
  return `${(parameters / Number(size)).toFixed(1)}${unit}`;
}

/** Of a model that was never loaded nobody has looked into the file. */
const UNKNOWN = {
  parent_model: "",
  format: "gguf",
  family: "",
  families: null,
  parameter_size: "",
  quantization_level: "unknown",
};

function describe({ name, info, fileBytes = 0 }: ListedModel) {
  const tagged = name.includes(":") ? name : `${name}:latest`;
  const digest = createHash("sha256").update(info?.fingerprint ?? `not loaded: ${name}`).digest("hex");
  const details = info === null ? UNKNOWN : detailsOf(info);
  return { name: tagged, model: tagged, size: info?.weightBytes ?? fileBytes, digest, details };
}

export const TAGS = dialect({
  summary: "The models that are served, as Ollama's clients ask for them",
  answer: "An object with models",
  errorStatuses: [503],
  errors: OLLAMA_ERRORS,
  needs: "nothing",
  reply: (_, { served }) => ({
    models: served().map((each) => ({ ...describe(each), modified_at: STARTED })),
  }),
});

export const PS = dialect({
  summary: "The models that are in memory",
  answer: "An object with models",
  errorStatuses: [503],
  errors: OLLAMA_ERRORS,
  needs: "nothing",
  reply: (_, { served }) => ({
    models: served().flatMap((each) =>
      each.host === null || each.info === null ? [] : [{
        ...describe(each),
        ...each.heldBytes === undefined ? {} : { size: each.heldBytes },
        expires_at: each.leavesAt === undefined ? FOREVER : new Date(each.leavesAt).toISOString(),
        size_vram: 0,
        context_length: each.info.contextLength,
      }]
    ),
  }),
});

export const SHOW = dialect({
  summary: "What a model is",
  answer: "An object with details, model_info and capabilities",
  body: SHOW_BODY,
  example: {},
  errorStatuses: [404, 503],
  errors: OLLAMA_ERRORS,
  needs: "info",
  unpack(body) {
    const named = withoutTag(body);
    if (typeof named !== "object" || named === null) return named;
    const { name, ...rest } = named as Record<string, unknown>;
    return name === undefined ? rest : { model: name, ...rest };
  },
  reply: (_, { model: { info } }) => ({
    modelfile: "",
    parameters: "",
    template: "",
    details: detailsOf(info),
    model_info: modelInfo(info),
    capabilities: capabilitiesOf(info),
    modified_at: STARTED,
  }),
});

/** What it can, in Ollama's words. */
function capabilitiesOf({ hasChatTemplate, thoughts, gap, pooling }: ModelInfo): string[] {
  return [
    pooling === "none" ? "completion" : "embedding",
    ...hasChatTemplate ? ["tools"] : [],
    ...thoughts === undefined ? [] : ["thinking"],
    ...gap === undefined ? [] : ["insert"],
  ];
}

function modelInfo(info: ModelInfo) {
  const { architecture } = info;
  return {
    "general.architecture": architecture,
    "general.basename": info.name ?? "",
    "general.parameter_count": info.parameters,
    [`${architecture}.context_length`]: info.contextLength,
    [`${architecture}.embedding_length`]: info.hidden,
    [`${architecture}.block_count`]: info.layers,
    [`${architecture}.attention.head_count`]: info.heads,
    [`${architecture}.attention.head_count_kv`]: info.kvHeads,
    [`${architecture}.vocab_size`]: info.vocab,
  };
}

export const OLLAMA_VERSION = dialect({
  summary: "The version of this server, as Ollama's clients ask for it",
  answer: "An object with version",
  errorStatuses: [],
  errors: OLLAMA_ERRORS,
  needs: "nothing",
  reply: () => ({ version: VERSION }),
});

/** What changes the models of a server. */
function refused(what: string) {
  return dialect({
    summary: `Refused: ${what} is not supported`,
    answer: "Always an error",
    body: object({}, {}),
    example: {},
    errorStatuses: [],
    errors: OLLAMA_ERRORS,
    needs: "nothing",
    // Whatever it is about: there is nothing that it could say.
    unpack: () => ({}),
    reply(_, { modelName }): never {
      throw badField(
        "",
        `${what} is not supported by this server: it serves what it was started with, "${modelName}"`,
        "unsupported_value",
      );
    },
  });
}

export const PULL = refused("Pulling models");
export const PUSH = refused("Pushing models");
export const CREATE = refused("Creating models");
export const COPY = refused("Copying models");
export const DELETE = refused("Deleting models");
