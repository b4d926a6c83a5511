/** Model files from a hub. @module */

export { cacheFolder } from "./cache.ts";
export { downloadModel, type DownloadOptions } from "./download.ts";
export { HubError, type HubErrorKind } from "./error.ts";
export type { DownloadProgress } from "./meter.ts";
export { downloadNamed, type NamedOptions } from "./named_download.ts";
export { aboutNamedModel, NAMED_MODELS, type NamedModel, namedModel, type Wheel } from "./named_models.ts";
export {
  formatHubReference,
  type HubReference,
  type HubRepository,
  isHubReference,
  isHubRepository,
  parseHubReference,
  parseHubRepository,
} from "./reference.ts";
export { downloadRepository, type RepositoryOptions } from "./repository.ts";
