/**
 * Seeds of requests of which a faulty engine dies, by the signal: always at the same token, or `DRIFT`, by SIGSEGV and some tokens
 * after it took it.
 */
export const FAULTS = {
  DRIFT: 1_000_000,
  SIGSEGV: 1_000_011,
  SIGBUS: 1_000_007,
  SIGILL: 1_000_004,
  SIGFPE: 1_000_008,
  SIGABRT: 1_000_006,
};
