/** What each key may keep where nothing else is said. */
export const BATCH_DEFAULTS = { bytesMax: 2 ** 30, filesMax: 1000, days: 30 } as const;
