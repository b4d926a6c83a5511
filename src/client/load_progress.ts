type Report = (doneBytes: number, totalBytes: number) => void;

/** Adds up the progress of several workers that read the same file, each for itself. */
export class LoadProgressSum {
  readonly #report: Report;
  readonly #readers: number;
  readonly #done = new Map<number, number>();

  constructor(readers: number, report: Report) {
    this.#readers = readers;
    this.#report = report;
  }

  /** The progress of one reader. */
  of(reader: number): Report {
    return (doneBytes, totalBytes) => {
      this.#done.set(reader, doneBytes);
      const sum = this.#done.values().reduce((all, bytes) => all + bytes, 0);
      this.#report(sum, totalBytes * this.#readers);
    };
  }
}
