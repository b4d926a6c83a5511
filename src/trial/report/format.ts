/** Numbers as the reader's language has them. @module */

export type Language = "en" | "ja";

/** How a report writes numbers. Null is a dash: nothing was measured. */
export interface Format {
  readonly language: Language;
  /** Three significant digits, or as many as wanted. */
  number(value: number | null, digits?: number): string;
  /** Whole numbers, all digits. */
  count(value: number | null): string;
  percent(share: number | null, digits?: number): string;
  /** A time in the unit that engineers would choose. */
  time(ms: number | null): string;
  /** In seconds, for those who do not count in ms. */
  seconds(ms: number): string;
  /** Large numbers in words: "10.5 million", "1050万". */
  words(value: number): string;
  bytes(value: number | null): string;
  /** In powers of 1024, as caches are. */
  binaryBytes(value: number): string;
  date(iso: string): string;
  dateTime(iso: string): string;
}

const NONE = "–";

export function formatFor(language: Language): Format {
  const number = (value: number | null, digits = 3) => {
    if (value === null || !Number.isFinite(value)) return NONE;
    // All digits before the point are shown: 1,234 and not 1,230.
    const whole = Math.floor(Math.log10(Math.max(1, Math.abs(value)))) + 1;
    return new Intl.NumberFormat(language, { maximumSignificantDigits: Math.max(digits, whole) }).format(
      value,
    );
  };
  const unit = (value: number, english: string, japanese: string, digits = 3) =>
    language === "ja" ? `${number(value, digits)}${japanese}` : `${number(value, digits)} ${english}`;
  const time = (ms: number | null) => {
    if (ms === null || !Number.isFinite(ms)) return NONE;
    if (ms < 1000) return `${number(ms)} ms`;
    if (ms < 120_000) return unit(ms / 1000, "s", "秒");
    return unit(ms / 60_000, "min", "分");
  };
  const bytes = (value: number | null) => {
    if (value === null) return NONE;
    const power = Math.min(4, Math.floor(Math.log10(Math.max(1, value)) / 3));
    return `${number(value / 1000 ** power)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
  };
  const dates = new Intl.DateTimeFormat(language === "ja" ? "ja-JP" : "en-GB", {
    dateStyle: "long",
    timeZone: "UTC",
  });
  const times = new Intl.DateTimeFormat(language === "ja" ? "ja-JP" : "en-GB", {
    dateStyle: "long",
    timeStyle: "short",
    timeZone: "UTC",
  });
  const dated = (format: Intl.DateTimeFormat, iso: string) => {
    const at = Date.parse(iso);
    return Number.isNaN(at) ? iso : format.format(at);
  };
  return {
    language,
    number,
    count: (value) => value === null ? NONE : new Intl.NumberFormat(language).format(Math.round(value)),
    percent: (share, digits = 0) =>
      share === null || !Number.isFinite(share) ? NONE : new Intl.NumberFormat(language, {
        style: "percent",
        maximumFractionDigits: digits,
      }).format(share),
    time,
    seconds: (ms) => ms < 120_000 ? unit(ms / 1000, "s", "秒", 2) : time(ms),
    words: (value) =>
      new Intl.NumberFormat(language, {
        notation: "compact",
        compactDisplay: "long",
        maximumSignificantDigits: 3,
      }).format(value),
    bytes,
    binaryBytes: (value) => {
      const power = Math.min(3, Math.floor(Math.log2(Math.max(1, value)) / 10));
      return `${number(value / 1024 ** power)} ${["B", "KiB", "MiB", "GiB"][power]}`;
    },
    date: (iso) => dated(dates, iso),
    dateTime: (iso) => `${dated(times, iso)} UTC`,
  };
}
