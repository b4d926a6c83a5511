/**
 * The version of the numbers: raised whenever the same request with the same seed gives other bits than before, which
 * the goldens of tests/numerics notice. Receipts and stored prefixes name it: those of another version cannot be
 * compared, or used.
 */
export const NUMERICS_VERSION = 2;
