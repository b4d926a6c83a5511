/** The one server that an address names, as `--allow-net` has it; none for what is no address. */
export function hostsOf(address: string): string[] {
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol)) return []; // the command itself says so
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return [`${url.hostname}:${port}`];
}
