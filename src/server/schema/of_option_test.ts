import { assert, assertEquals } from "@std/assert";
import { CHAT, EMBEDDING } from "../../protocol/options/generation.ts";
import { docOf, fieldName, settableBy } from "../../protocol/options/option.ts";
import { CHAT_BODY } from "../dialects/chat.ts";
import { COMPLETIONS_BODY } from "../dialects/completions.ts";
import { EMBEDDINGS_BODY } from "../dialects/embeddings.ts";
import { jsonSchema } from "./json_schema.ts";

// deno-lint-ignore no-explicit-any
const documented = (schema: Parameters<typeof jsonSchema>[0]) => jsonSchema(schema).properties as any;

Deno.test("every option that clients may set is a field of the requests for which it is", () => {
  const names = (table: Parameters<typeof settableBy>[1]) => settableBy("client", table).map(fieldName);
  for (const name of names(CHAT)) assert(Object.hasOwn(CHAT_BODY.shape, name), name);
  for (const name of names(EMBEDDING)) assert(Object.hasOwn(EMBEDDINGS_BODY.shape, name), name);
  assert(names(CHAT).length > 20);
});

Deno.test("fieldOf() takes range, default and sentence from the option's row, with the bounds that clients know", () => {
  const { temperature, top_k, seed, logit_bias } = documented(COMPLETIONS_BODY);
  assertEquals(temperature, {
    type: "number",
    minimum: 0,
    maximum: CHAT.temperature.field.max,
    default: CHAT.temperature.default,
    description: docOf(CHAT.temperature, "client"),
  });
  assertEquals([top_k.minimum, top_k.maximum], [-1, CHAT.topK.kind.max]);
  assertEquals([seed.minimum, seed.maximum, seed.default], [-1, Number.MAX_SAFE_INTEGER, undefined]);
  assertEquals([logit_bias.maxProperties, logit_bias.additionalProperties.minimum], [1024, -100]);
});
