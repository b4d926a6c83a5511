/** What is done at /v1/files and /v1/batches; loaded when a server begins that has a folder for them. @module */

import { ApiError, badField } from "../api_error.ts";
import { readFields, readValue } from "../schema/read.ts";
import type { Exchange, Service } from "../service.ts";
import type { Batches } from "./batches.ts";
import { BATCH_BODY, LIST_LIMIT, metadataOf, windowSeconds } from "./fields.ts";
import { ENDED, nowSeconds, pageOf, type StoredBatch, type StoredFile } from "./objects.ts";

const FILES_LIMIT = 10_000;
const BATCHES_LIMIT = 20;
const BATCHES_LIMIT_MAX = 100;

/** What is asked, and of what. */
interface Asking {
  readonly service: Service;
  readonly batches: Batches;
  readonly exchange: Exchange;
}

export async function uploadFile({ service, batches: { files }, exchange }: Asking): Promise<Response> {
  const { request, tenant } = exchange;
  // The package that reads forms is loaded when the first one comes.
  const { receiveFile } = await import("./upload.ts");
  const file = await receiveFile(files, request, { tenant, stalledMs: service.bodies.timeMs });
  service.bodies.noteRead(request);
  return Response.json(file);
}

export function listFiles({ batches: kept, exchange: { tenant, url } }: Asking): Response {
  const { files } = kept;
  const purpose = url.searchParams.get("purpose");
  const all = inOrder(files.all(tenant), url).filter((file) => purpose === null || file.purpose === purpose);
  return Response.json(pageOf(all, askedPage(url, FILES_LIMIT, FILES_LIMIT)));
}

export async function getFile({ batches: kept, exchange: { tenant, url } }: Asking): Promise<Response> {
  const { files } = kept;
  const [id, part, ...more] = wordsBehind(url, "files");
  const file = files.find(tenant, id);
  if (part === undefined) return Response.json(file);
  if (part !== "content" || more.length > 0) throw notFound();
  const content = await Deno.open(files.pathOf(tenant, file));
  return new Response(content.readable, {
    headers: { "content-type": "application/octet-stream", "content-length": String(file.bytes) },
  });
}

export async function deleteFile({ batches: kept, exchange: { tenant, url } }: Asking): Promise<Response> {
  const { files, batches } = kept;
  const [id, ...more] = wordsBehind(url, "files");
  if (more.length > 0) throw notFound();
  const file: StoredFile = files.find(tenant, id);
  if (batches.uses(tenant, id)) {
    throw new ApiError(400, "A batch that has not ended needs this file", {
      param: "file_id",
      code: "file_in_use",
    });
  }
  await files.remove(tenant, file);
  return Response.json({ id, object: "file", deleted: true });
}

export async function createBatch({ service, batches: kept, exchange }: Asking): Promise<Response> {
  const { files, batches } = kept;
  const { request, tenant } = exchange;
  // Else each of its requests would be refused.
  service.accounts.of(tenant)?.checkClass(kept.className);
  const fields = readFields(BATCH_BODY, await service.bodies.json(request), service.onUnknown);
  const { input_file_id, endpoint, completion_window, metadata, output_expires_after } = fields;
  const seconds = windowSeconds(completion_window);
  if (seconds === null) {
    throw badField(
      "completion_window",
      '"completion_window" must be a number of hours or days up to 30 days, such as "24h" or "7d"',
    );
  }
  const { purpose } = files.find(tenant, input_file_id);
  if (purpose !== "batch") {
    throw badField(
      "input_file_id",
      `"input_file_id" must be a file of purpose "batch", this one is "${purpose}"`,
    );
  }
  const made = {
    input_file_id,
    endpoint,
    completion_window,
    expires_at: nowSeconds() + seconds,
    metadata: metadataOf(metadata),
    output_expires_after: output_expires_after ?? null,
  };
  const batch = await batches.create(tenant, made, files.limits.filesMax);
  await kept.wake();
  return Response.json(batch);
}

export function listBatches({ batches: kept, exchange: { tenant, url } }: Asking): Response {
  const { batches } = kept;
  return Response.json(pageOf(batches.all(tenant), askedPage(url, BATCHES_LIMIT, BATCHES_LIMIT_MAX)));
}

export function getBatch({ batches: { batches }, exchange: { tenant, url } }: Asking): Response {
  return Response.json(batches.find(tenant, wordsBehind(url, "batches").join("/")));
}

export async function cancelBatch({ batches: kept, exchange: { tenant, url } }: Asking): Promise<Response> {
  const { batches } = kept;
  const [id, what, ...more] = wordsBehind(url, "batches");
  const batch: StoredBatch = batches.find(tenant, id);
  if (what !== "cancel" || more.length > 0) throw notFound();
  if (ENDED.has(batch.status) || batch.status === "finalizing") {
    throw new ApiError(400, `A batch that is ${batch.status} cannot be cancelled`, { code: "batch_ended" });
  }
  if (batch.status !== "cancelling") await batches.become(tenant, id, "cancelling");
  await kept.cancel(tenant, id);
  return Response.json(batches.find(tenant, id));
}

/** What stands behind `/files/` or `/batches/` in a path. */
function wordsBehind({ pathname }: URL, word: string): string[] {
  return pathname.slice(pathname.indexOf(`/${word}/`) + word.length + 2).split("/");
}

function inOrder<T>(newestFirst: readonly T[], { searchParams }: URL): T[] {
  const order = searchParams.get("order") ?? "desc";
  if (order !== "asc" && order !== "desc") throw badField("order", '"order" must be "asc" or "desc"');
  return order === "desc" ? [...newestFirst] : newestFirst.toReversed();
}

function askedPage({ searchParams }: URL, usual: number, max: number) {
  const given = searchParams.get("limit");
  const limit = given === null ? usual : readValue(LIST_LIMIT, Number(given), "limit");
  return { after: searchParams.get("after") ?? undefined, limit: Math.min(limit, max) };
}

function notFound(): ApiError {
  return new ApiError(404, "There is nothing at this path", { code: "not_found" });
}
