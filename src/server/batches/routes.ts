/** /v1/files and /v1/batches. @module */

import { ApiError } from "../api_error.ts";
import type { Route, Service } from "../service.ts";
import type { Batches } from "./batches.ts";

type Handlers = typeof import("./handlers.ts");

const ROUTES: readonly (readonly [Route["method"], string, keyof Handlers])[] = [
  ["POST", "/v1/files", "uploadFile"],
  ["GET", "/v1/files", "listFiles"],
  ["GET", "/v1/files/*", "getFile"],
  ["DELETE", "/v1/files/*", "deleteFile"],
  ["POST", "/v1/batches", "createBatch"],
  ["GET", "/v1/batches", "listBatches"],
  ["GET", "/v1/batches/*", "getBatch"],
  ["POST", "/v1/batches/*", "cancelBatch"],
];

/** `batches`: undefined where the server keeps no files; then each of these says so. */
export function batchRoutes(service: Service, batches: Batches | undefined): Route[] {
  const loading = batches === undefined ? undefined : import("./handlers.ts");
  loading?.catch(() => {});
  return ROUTES.map(([method, path, name]) => ({
    method,
    path,
    alias: path.slice("/v1".length),
    handle: async (exchange) => {
      if (batches === undefined) throw off();
      return await (await loading!)[name]({ service, batches, exchange });
    },
  }));
}

function off(): ApiError {
  return new ApiError(
    404,
    "This server keeps no files, and so has no batches: it needs a folder for them, --batch-dir DIR",
    { code: "batches_off" },
  );
}
