/** How far a request's data may travel. @module */

/** From what anybody may see to what never leaves this server. */
export const DATA_LABELS = ["public", "internal", "private"] as const;
export type DataLabel = typeof DATA_LABELS[number];

/** Labels that a place elsewhere can be trusted with: nothing that is private leaves. */
export const CLEARANCES = ["public", "internal"] as const satisfies readonly DataLabel[];
export type Clearance = typeof CLEARANCES[number];

/** Whether data of a label may go to a place that is trusted with `clearance`. */
export function mayGo(label: DataLabel, clearance: Clearance): boolean {
  return DATA_LABELS.indexOf(label) <= DATA_LABELS.indexOf(clearance);
}

/** The label that lets data travel least far; undefined where there is none. */
export function strictest(labels: readonly (DataLabel | undefined)[]): DataLabel | undefined {
  return DATA_LABELS.findLast((label) => labels.includes(label));
}
