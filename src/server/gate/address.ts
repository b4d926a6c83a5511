const GROUPS = 8;
/** Of an IPv6 address: who has one has them all. */
const NETWORK_GROUPS = 4;

/**
 * Whom an address belongs to, as far as one can tell: an IPv4 address by itself, an IPv6 address by its /64.
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1];
  if (!address.includes(":")) return address;
  const [front, back] = address.split("::");
  const groups = front === "" ? [] : front.split(":");
  const tail = back === undefined || back === "" ? [] : back.split(":");
  if (back !== undefined) {
    groups.push(...new Array(Math.max(0, GROUPS - groups.length - tail.length)).fill("0"));
  }
  return `${[...groups, ...tail].slice(0, NETWORK_GROUPS).join(":")}::/64`;
}
