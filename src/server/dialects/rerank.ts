/** POST /v1/rerank, as Jina's and Cohere's clients ask, and /v1/score, as vLLM's do. @module */

import { badField } from "../api_error.ts";
import { choice, flag, integer, list, object, text, unused } from "../schema/fields.ts";
import { dialect, type Plan } from "./dialect.ts";
import { ENGINE_ERRORS } from "./openai/answers.ts";
import { model } from "./openai/fields.ts";
import { TEXT_MAX } from "./openai/message_fields.ts";
import { oneOf } from "./openai/sampling.ts";
import { withExtraBody } from "./openai/unpack.ts";
import { here } from "./refusals.ts";
import { planScores } from "./scoring.ts";
import { URGENCY_FIELDS } from "./urgency.ts";

const TEXTS_MAX = 1000;
const CUT = here("Cutting documents that are too long is not supported");

const content = text(TEXT_MAX);
const textual = choice("a string or an object with text", [
  content,
  object({ text: content }, {}, { others: unused(["id", "title", "metadata"]) }),
]);

const OTHERS = {
  ...unused(["user", "request_id", "priority_class", "softmax"]),
  truncate_prompt_tokens: CUT,
  max_chunks_per_doc: CUT,
  max_tokens_per_doc: CUT,
  rank_fields: here("Chosen fields of documents are not supported", { empty: true }),
};

export const RERANK_BODY = object({
  query: textual,
  documents: list(textual, 1, TEXTS_MAX, { help: "Texts, or objects with text." }),
}, {
  model,
  top_n: integer(1, 1_000_000, { help: "Only so many, the best; default: all." }),
  return_documents: flag("Give the documents' texts, too.", false),
  ...URGENCY_FIELDS,
}, { others: OTHERS });

const textOf = (given: string | { readonly text: string }) => typeof given === "string" ? given : given.text;

export const RERANK = dialect({
  summary: "Order documents by how well they answer a query, for models that can",
  answer: "An object with results, the best first: index and relevance_score",
  body: RERANK_BODY,
  example: { query: "What is a panda?", documents: ["A bear of China.", "A red car."] },
  errorStatuses: ENGINE_ERRORS,
  unpack: withExtraBody,
  async plan(fields, asked): Promise<Plan> {
    const documents = fields.documents.map(textOf);
    const query = textOf(fields.query);
    const { scores, promptTokens, ...plan } = await planScores(
      documents.map((document) => ({ query, document })),
      fields,
      asked,
    );
    return {
      ...plan,
      whole(results) {
        const total = promptTokens(results);
        const all = scores(results).map((relevance_score, index) => ({
          index,
          relevance_score,
          ...fields.return_documents ? { document: { text: documents[index] } } : {},
        }));
        return {
          id: `rerank-${asked.id}`,
          object: "list",
          model: asked.modelName,
          results: all.sort((a, b) => b.relevance_score - a.relevance_score).slice(0, fields.top_n),
          usage: { prompt_tokens: total, total_tokens: total },
        };
      },
    };
  },
});

const texts = choice("a string or a list of strings", [content, list(content, 1, TEXTS_MAX)]);

export const SCORE_BODY = object({}, {
  model,
  text_1: texts,
  text_2: texts,
  queries: texts,
  documents: texts,
  ...URGENCY_FIELDS,
}, { others: OTHERS });

export const SCORE = dialect({
  summary: "How near texts are: one to each of several, or pair by pair, for models that can",
  answer: "A list with a score for each pair",
  body: SCORE_BODY,
  example: { text_1: "What is a panda?", text_2: ["A bear of China.", "A red car."] },
  errorStatuses: ENGINE_ERRORS,
  unpack: withExtraBody,
  async plan(fields, asked): Promise<Plan> {
    const { text_1, text_2, queries, documents } = fields;
    const pairs = pairsOf(oneOf({ text_1, queries }), oneOf({ text_2, documents }));
    const { scores, promptTokens, ...plan } = await planScores(pairs, fields, asked);
    return {
      ...plan,
      whole(results) {
        const total = promptTokens(results);
        return {
          id: `score-${asked.id}`,
          object: "list",
          created: asked.created,
          model: asked.modelName,
          data: scores(results).map((score, index) => ({ index, object: "score", score })),
          usage: { prompt_tokens: total, total_tokens: total },
        };
      },
    };
  },
});

/** Throws an ApiError, 400. */
function pairsOf(first?: string | string[], second?: string | string[]) {
  if (first === undefined) throw badField("text_1", '"text_1" is missing', "missing_field");
  if (second === undefined) throw badField("text_2", '"text_2" is missing', "missing_field");
  const [queries, documents] = [[first].flat(), [second].flat()];
  if (queries.length !== 1 && queries.length !== documents.length) {
    throw badField(
      "text_1",
      `"text_1" must have one text, or as many as "text_2", ${documents.length}, it has ${queries.length}`,
    );
  }
  return documents.map((document, i) => ({ query: queries[queries.length === 1 ? 0 : i], document }));
}
