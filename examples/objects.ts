// An object whose type follows from its schema: deno task run examples/objects.ts
import { z } from "zod";
import { loadModel } from "../mod.ts";

const person = z.object({ name: z.string().max(20), age: z.number().int().min(0).max(150) });

await using model = await loadModel("demo");
const answer = model.generateObject([{ role: "user", content: "Anna is 31. As JSON:" }], person, {
  temperature: 0,
});
for await (const part of answer) console.error(JSON.stringify(part));
const { object } = await answer.result;
console.log(`${object.name} will be ${object.age + 1}`);
