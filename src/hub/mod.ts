/** Model files from a hub. @module */

export { cacheFolder } from "./cache.ts";
export { downloadModel, type DownloadOptions } from "./download.ts";
export { HubError, type HubErrorKind } from "./error.ts";
export type { DownloadProgress } from "./meter.ts";
export { formatHubReference, type HubReference, isHubReference, parseHubReference } from "./reference.ts";
