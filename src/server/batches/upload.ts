/** Receives a file that a form brings: piece by piece, whatever its size. @module */

import { Readable, type Writable } from "node:stream";
import { Busboy } from "@fastify/busboy";
import { ApiError, badField } from "../api_error.ts";
import { readValue } from "../schema/read.ts";
import type { FileStore, Upload } from "./file_store.ts";
import { EXPIRES_SECONDS, PURPOSE } from "./fields.ts";
import type { StoredFile } from "./objects.ts";

/** What of the package is used: its own types are those of Node's declarations, which are not here. */
type FormParser = Writable & {
  on(event: "field", listener: (name: string, value: string) => void): void;
  on(event: "file", listener: (name: string, stream: Readable, filename: string | undefined) => void): void;
  on(event: "filesLimit" | "fieldsLimit", listener: () => void): void;
};

/** Bounds on what stands beside the file. */
const FORM_LIMITS = {
  fields: 8,
  fieldSize: 1024,
  fieldNameSize: 64,
  files: 1,
  headerPairs: 16,
  headerSize: 4096,
};
const NAME_CHARACTERS_MAX = 255;
/** The rest of the body is not read. */
const CLOSE = { connection: "close" };

/** How a form is received. */
export interface ReceiveOptions {
  readonly tenant: string;
  /** Longest wait for the next piece, in ms. */
  readonly stalledMs: number;
}

/** Keeps the file of a form. Throws an ApiError; then nothing of it is kept. */
export async function receiveFile(
  store: FileStore,
  request: Request,
  { tenant, stalledMs }: ReceiveOptions,
): Promise<StoredFile> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^multipart\/form-data *;/i.test(type)) {
    throw new ApiError(415, "A file comes as a form: send content-type: multipart/form-data", {
      param: "content-type",
    });
  }
  if (request.body === null) throw broken();
  const upload = await store.receive(tenant);
  try {
    const form = await readForm(request.body, type, upload, stalledMs);
    if (form.filename === null) throw badField("file", '"file" is missing', "missing_field");
    return await upload.keep({ filename: form.filename, ...aboutOf(form.fields) });
  } finally {
    await upload.drop();
  }
}

interface Form {
  readonly fields: ReadonlyMap<string, string>;
  /** null where there was no file. */
  readonly filename: string | null;
}

async function readForm(
  body: ReadableStream<Uint8Array>,
  type: string,
  upload: Upload,
  stalledMs: number,
): Promise<Form> {
  const fields = new Map<string, string>();
  let filename: string | null = null;
  const done = Promise.withResolvers<void>();
  done.promise.catch(() => {});
  const form = parserOf(type);
  let receiving = Promise.resolve();
  form.on("field", (name, value) => fields.set(name, value));
  form.on("file", (name, stream, given) => {
    stream.on("error", () => done.reject(broken()));
    filename = plainName(given);
    receiving = takeFile(name, stream, upload);
    receiving.catch(done.reject);
  });
  for (const what of ["filesLimit", "fieldsLimit"] as const) {
    form.on(what, () => done.reject(badField("file", "A form has one file and at most 8 fields")));
  }
  form.on("error", (error) => done.reject(error instanceof ApiError ? error : broken(error)));
  form.on("finish", () => receiving.then(done.resolve, done.reject));
  const source = Readable.fromWeb(watched(body, stalledMs) as never);
  source.on("error", (error) => done.reject(error instanceof ApiError ? error : broken(error)));
  source.pipe(form);
  try {
    await done.promise;
  } catch (error) {
    source.unpipe(form);
    source.destroy();
    throw error;
  }
  return { fields, filename };
}

function parserOf(type: string): FormParser {
  try {
    return new Busboy({ headers: { "content-type": type }, limits: FORM_LIMITS }) as unknown as FormParser;
  } catch (error) {
    throw broken(error);
  }
}

async function takeFile(name: string, stream: Readable, upload: Upload): Promise<void> {
  if (name !== "file") throw badField("file", 'The file of a form is called "file"', "missing_field");
  for await (const piece of stream) await upload.write(piece);
}

/** A body whose client sends nothing for too long ends with an error. */
function watched(body: ReadableStream<Uint8Array>, stalledMs: number): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const late = Promise.withResolvers<never>();
      const timer = setTimeout(
        () =>
          late.reject(
            new ApiError(408, `Nothing of the file arrived for ${stalledMs / 1000} s`, {
              code: "body_timeout",
              headers: CLOSE,
            }),
          ),
        stalledMs,
      );
      try {
        const { done, value } = await Promise.race([reader.read(), late.promise]);
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        reader.cancel().catch(() => {});
        controller.error(error instanceof ApiError ? error : broken(error));
      } finally {
        clearTimeout(timer);
      }
    },
    cancel: (reason) => reader.cancel(reason).catch(() => {}),
  });
}

function broken(cause?: unknown): ApiError {
  return new ApiError(400, "The form broke off, or is malformed", {
    code: "incomplete_body",
    headers: CLOSE,
    cause,
  });
}

/** What the fields beside a file say. Throws an ApiError, 400. */
function aboutOf(fields: ReadonlyMap<string, string>) {
  const known = new Set(["purpose", "expires_after[anchor]", "expires_after[seconds]"]);
  const other = fields.keys().find((name) => !known.has(name));
  if (other !== undefined) {
    throw badField(other, `There is no field "${plainName(other)}" here`, "unknown_field");
  }
  const seconds = fields.get("expires_after[seconds]");
  const anchor = fields.get("expires_after[anchor]");
  if (anchor !== undefined && anchor !== "created_at") {
    throw badField("expires_after", '"expires_after[anchor]" must be "created_at"');
  }
  readValue(PURPOSE, fields.get("purpose"), "purpose");
  return {
    purpose: "batch" as const,
    ...seconds === undefined
      ? {}
      : { ageSeconds: readValue(EXPIRES_SECONDS, Number(seconds), "expires_after[seconds]") },
  };
}

/** A name to be shown: it never becomes a path. */
function plainName(given: string | undefined): string {
  // deno-lint-ignore no-control-regex
  const plain = (given ?? "").replaceAll(/[\u0000-\u001f\u007f-\u009f\\/]/g, "_").slice(
    0,
    NAME_CHARACTERS_MAX,
  );
  return plain === "" ? "upload.jsonl" : plain;
}
