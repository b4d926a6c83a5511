/**
 * Stand-in for the part of `@std/http/negotiation` that this project uses, for networks that do not reach
 * JSR.
 * @module
 */

/** A part of an `Accept` header: `text/*;q=0.5`. */
interface MediaRange {
  readonly type: string;
  readonly subtype: string;
  readonly hasParameters: boolean;
  readonly quality: number;
}

function readRange(text: string): MediaRange | null {
  const [name, ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const [, type, subtype] = /^([^\s/]+)\/(\S+)$/.exec(name) ?? [];
  if (type === undefined) return null;
  const weight = parameters.findIndex((parameter) => parameter.startsWith("q="));
  return {
    type,
    subtype,
    hasParameters: weight > 0 || (weight < 0 && parameters.length > 0),
    quality: weight < 0 ? 1 : Number.parseFloat(parameters[weight].slice(2)),
  };
}

/**
 * How exactly a range means a type that has no parameters: 2 by its name, 1 by half of it, 0 like all; null:
 * not at all.
 */
function exactness(
  { type, subtype, hasParameters }: MediaRange,
  [ownType, ownSubtype]: string[],
): number | null {
  if (hasParameters) return null;
  const marks = [[type, ownType], [subtype, ownSubtype]].map(([range, own]) =>
    range === own ? 1 : range === "*" ? 0 : -1
  );
  return marks.includes(-1) ? null : marks[0] + marks[1];
}

/**
 * Which of these media types, none with parameters, the request's `Accept` header likes best; undefined where
 * it takes none. For each type the range counts that means it most exactly (RFC 9110, 12.5.1). Of equals the
 * first one is taken.
 */
export function accepts(request: Pick<Request, "headers">, ...types: string[]): string | undefined {
  const header = request.headers.get("accept");
  if (!header) return types[0];
  const ranges = header.split(",").map(readRange).filter((range) => range !== null);
  const [best] = types.flatMap((type) => {
    const own = type.toLowerCase().split("/");
    const [match] = ranges
      .flatMap((range) => {
        const exact = exactness(range, own);
        return exact === null ? [] : [{ type, exact, quality: range.quality }];
      })
      .toSorted((a, b) => b.exact - a.exact || b.quality - a.quality);
    return match !== undefined && match.quality > 0 ? [match] : [];
  }).toSorted((a, b) => b.quality - a.quality || b.exact - a.exact);
  return best?.type;
}
