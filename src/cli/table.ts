/** Plain text tables for terminals. @module */

import { oneLine } from "../process/harmless.ts";

/**
 * Columns are as wide as their widest cell; columns whose cells are all numbers are aligned right. Cells may
 * hold what a file or a server says.
 */
export function renderTable(header: readonly string[], given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map((cell) => oneLine(cell)));
  const widths = header.map((cell, i) => Math.max(cell.length, ...rows.map((row) => (row[i] ?? "").length)));
  const numeric = header.map((_, i) =>
    rows.length > 0 && rows.every((row) => /^[-\d., %x×]*$/.test(row[i] ?? ""))
  );
  const line = (cells: readonly string[]) =>
    widths.map((width, i) => {
      const cell = cells[i] ?? "";
      return numeric[i] ? cell.padStart(width) : cell.padEnd(width);
    }).join("  ").trimEnd();
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
