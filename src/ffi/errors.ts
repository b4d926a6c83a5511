import { Status } from "./symbols.ts";

/** Name of a status that a native function can return. */
export type StatusName = keyof typeof Status;

const MEANINGS: Record<Exclude<StatusName, "ok">, string> = {
  invalidArgument: "an argument is out of range",
  unknownId: "an object does not exist or was closed",
  wrongKind: "an object is of another kind",
  outOfMemory: "out of memory",
  regionOutsideWorkspace: "a region ends outside the workspace",
  unknownIsa: "this library has no such instruction set level",
  unsupportedIsa: "this machine does not support the instruction set level",
  shapeMismatch: "shapes do not fit together",
  unsupportedFormat: "there are no kernels for this format",
  noBatch: "no batch is set",
  tooManyObjects: "too many native objects",
  bufferTooSmall: "a buffer has the wrong length",
  threadFailed: "cannot start threads",
  contextBusy: "the kernels are in use by another thread",
  overflow: "a size is too large",
  invalidBatch: "the batch contradicts itself or the arena",
  misalignedBuffer: "a buffer does not start at a multiple of its element size",
  arenaMismatch: "the batch was set for another arena",
  interrupted: "the op was interrupted",
  internal: "internal error",
};

const NAMES = new Map<number, StatusName>(
  Object.entries(Status).map(([name, code]) => [code, name as StatusName]),
);

/** A native function refused its arguments or the machine could not do it. */
export class KernelError extends Error {
  override readonly name = "KernelError";
  /** What went wrong, for programs. */
  readonly status: StatusName;
  /** The operation that failed. */
  readonly op: string;

  constructor(status: StatusName, op: string, message: string) {
    super(message);
    this.status = status;
    this.op = op;
  }
}

/** Values of arguments for an error's message. */
export type Detail = Readonly<Record<string, unknown>>;

/** Passes a count or 0 on and throws a KernelError for a negative status. `detail` names the op's sizes. */
export function check(status: number, op: string, detail?: Detail): number {
  if (status < 0) throw kernelError(status, op, detail);
  return status;
}

function kernelError(code: number, op: string, detail: Detail = {}): KernelError {
  const status = NAMES.get(code) ?? "internal";
  const meaning = status === "ok" ? "" : MEANINGS[status];
  const values = Object.entries(detail).map(([name, value]) => `${name} ${value}`).join(", ");
  return new KernelError(status, op, `${op}: ${meaning}${values === "" ? "" : ` (${values})`}`);
}
