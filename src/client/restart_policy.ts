/** When a place gets a new worker after one has ended. */
export interface RestartPolicy {
  /** A worker takes requests. */
  noteReady(nowMs: number): void;
  /** It has completed a step. */
  noteStep(): void;
  /** One has ended, or could not load the model: ms to wait before the next; null: there is to be none. */
  next(nowMs: number): number | null;
}
