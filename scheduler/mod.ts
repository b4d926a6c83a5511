export { type BlockAllocator, blocksOf, type Run } from "./block_allocator.ts";
export { PrefixCache, type PrefixCacheOptions } from "./prefix_cache.ts";
