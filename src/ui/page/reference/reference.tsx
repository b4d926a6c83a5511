/** What `/docs` says, for those who have a key: browsers send none by themselves. @module */

import { useEffect, useState } from "preact/hooks";
import { Trouble } from "../chat/trouble.tsx";
import { Code } from "../core/code.tsx";
import { apiKey, getJson } from "../core/api.ts";
import { useStore } from "../core/store.ts";
import { useWords } from "../core/words.ts";

interface Field {
  readonly type?: string | readonly string[];
  readonly description?: string;
}

interface Operation {
  readonly summary?: string;
  readonly requestBody?: {
    readonly content: Readonly<
      Record<string, {
        readonly schema?: {
          readonly properties?: Readonly<Record<string, Field>>;
          readonly required?: readonly string[];
        };
        readonly example?: unknown;
      }>
    >;
  };
  readonly responses?: Readonly<Record<string, { readonly description?: string }>>;
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export function Reference() {
  const words = useWords();
  const key = useStore(apiKey);
  const [description, setDescription] = useState<Description | null>(null);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    getJson<Description>("/openapi.json").then((all) => {
      setError(null);
      setDescription(all);
    }, setError);
  }, [key]);
  return (
    <div class="reference">
      <h1>{words.places.docs}</h1>
      {error !== null && <Trouble failure={error} />}
      {Object.entries(description?.paths ?? {}).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => (
          <OperationView
            key={method + path}
            title={`${method.toUpperCase()} ${path}`}
            operation={operation}
          />
        ))
      )}
    </div>
  );
}

function OperationView({ title, operation }: { title: string; operation: Operation }) {
  const body = operation.requestBody?.content["application/json"];
  const fields = Object.entries(body?.schema?.properties ?? {});
  const required = body?.schema?.required ?? [];
  return (
    <details class="card">
      <summary>
        <code>{title}</code> {operation.summary}
      </summary>
      <p>{operation.responses?.["200"]?.description}</p>
      {body?.example !== undefined && <Code text={JSON.stringify(body.example, null, 2)} language="json" />}
      {fields.length > 0 && (
        <div class="markdown scroll" tabIndex={0} role="group" aria-label={title}>
          <table>
            <tbody>
              {fields.map(([name, { type, description }]) => (
                <tr key={name}>
                  <th scope="row">
                    <code>{name}</code>
                    {required.includes(name) ? " *" : ""}
                  </th>
                  <td>{[type ?? ""].flat().join(" | ")}</td>
                  <td>{description}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}
