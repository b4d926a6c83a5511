/** The formats of strings, as patterns of whole texts. @module */

const DATE =
  "([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))" +
  "|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)";
const TIME =
  "(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,40})?([zZ]|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))";
/** Without hyphens in places 3 and 4, where they begin an internationalised name with rules of its own (RFC 5891). */
const label = (most: number) =>
  `([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]?[a-zA-Z0-9]|[a-zA-Z0-9]([a-zA-Z0-9-][a-zA-Z0-9]|[a-zA-Z0-9]-)[a-zA-Z0-9-]{0,${
    most - 4
  }}[a-zA-Z0-9])`;
/** 253 characters at most: three long labels, or ten of up to 24. */
const hostname = (dotsMin: number) =>
  `(${label(63)}(\\.${label(63)}){${dotsMin},2}|${label(24)}(\\.${label(24)}){3,9})`;
const OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const IPV4 = `${OCTET}(\\.${OCTET}){3}`;
const GROUP = "[0-9a-fA-F]{1,4}";
const LAST = `(${GROUP}:${GROUP}|${IPV4})`;
/** RFC 4291, section 2.2: eight groups, the last two also as an IPv4 address, a run of zeros as `::`. */
const IPV6 = [
  `(${GROUP}:){6}${LAST}`,
  `::(${GROUP}:){0,5}${LAST}`,
  ...[1, 2, 3, 4, 5].map((n) => `${GROUP}(:${GROUP}){${n - 1}}::(${GROUP}:){0,${5 - n}}${LAST}`),
  `(${GROUP}(:${GROUP}){0,5})?::${GROUP}`,
  `(${GROUP}(:${GROUP}){0,6})?::`,
].join("|");
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}";
const PCHAR = "([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";
/** Something stands behind the scheme: a scheme alone would be one, but most readers take it for none. */
const URI = "[A-Za-z][A-Za-z0-9+.-]*:" +
  `(//((([A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?([A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*|\\[(${IPV6})\\])(:[0-9]*)?(/${PCHAR}*)*` +
  `|/(${PCHAR}+(/${PCHAR}*)*)?|${PCHAR}+(/${PCHAR}*)*)(\\?(${PCHAR}|[/?])*)?(#(${PCHAR}|[/?])*)?`;
const NUMBER_OF = (unit: string) => `[0-9]{1,40}${unit}`;
const CLOCK = `T(${NUMBER_OF("H")}(${NUMBER_OF("M")}(${NUMBER_OF("S")})?)?|${NUMBER_OF("M")}(${
  NUMBER_OF("S")
})?|${NUMBER_OF("S")})`;
const DAYS = `(${NUMBER_OF("Y")}(${NUMBER_OF("M")}(${NUMBER_OF("D")})?)?|${NUMBER_OF("M")}(${
  NUMBER_OF("D")
})?|${NUMBER_OF("D")})`;

/** By name. Where readers differ, what all of them take: hosts of addresses of mail have a dot. Each matches a whole text. */
export const FORMATS: ReadonlyMap<string, string> = new Map([
  ["date", DATE],
  ["time", TIME],
  ["date-time", `${DATE}[tT]${TIME}`],
  // RFC 3339, appendix A.
  ["duration", `P(${NUMBER_OF("W")}|${DAYS}(${CLOCK})?|${CLOCK})`],
  ["email", `${ATOM}(\\.${ATOM})*@${hostname(1)}`],
  ["hostname", hostname(0)],
  ["ipv4", IPV4],
  ["ipv6", IPV6],
  // As pydantic and zod name theirs.
  ["base64", "([0-9a-zA-Z+/]{4})*([0-9a-zA-Z+/]{2}==|[0-9a-zA-Z+/]{3}=)?"],
  ["base64url", "[A-Za-z0-9_-]*"],
  ["cuid2", "[0-9a-z]+"],
  ["e164", "\\+[1-9][0-9]{6,14}"],
  ["ipvanyaddress", `${IPV4}|${IPV6}`],
  ["jwt", "[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]*"],
  ["nanoid", "[A-Za-z0-9_-]{21}"],
  ["ulid", "[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}"],
  ["uri", URI],
  ["uuid", "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"],
]);

/** Names that tell what a text means and nothing of how it looks. */
export const MEANINGS: ReadonlySet<string> = new Set([
  "binary",
  "decimal",
  "directory-path",
  "file-path",
  "json-string",
  "path",
  "byte",
  "color",
  "double",
  "ends_with",
  "float",
  "includes",
  "int32",
  "int64",
  "password",
  "phone",
  "starts_with",
  "textarea",
  "url",
]);
