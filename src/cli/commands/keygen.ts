/** `kumi keygen`: keys that a server signs or encrypts with. */

import type { KumiCommand } from "../command.ts";

export const keygen: KumiCommand = {
  name: "keygen",
  summary: "make a key with which a server signs receipts, or encrypts what it stores",
  usage: "keygen FILE [--for receipts|prefixes]",
  positionals: { min: 1, max: 1 },
  options: [{
    name: "for",
    value: "receipts|prefixes",
    help: "Ed25519, for kumi serve --receipt-key; or AES, for --prefix-store-key",
    default: "receipts",
  }],
  details:
    `FILE gets the key, which only its owner may read. For receipts FILE.pub gets the public one, which auditors need. Neither may exist: a key that is written over is lost.`,
  access: ({ positional: [path = ""] }) => ({ write: [path, `${path}.pub`] }),
};
