/** An image of a container, run as a runtime would: from its file alone. For root on Linux. */
import { findOnPath } from "../../src/process/path_search.ts";
import { capture } from "../../src/setup/process.ts";

/** What of an image's configuration says how it runs. */
export interface ImageConfig {
  readonly architecture: string;
  readonly config: {
    readonly User: string;
    readonly Env: readonly string[];
    readonly Entrypoint: readonly string[];
    readonly Cmd: readonly string[];
  };
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** An image's file, taken apart. */
export interface UnpackedImage {
  readonly image: ImageConfig;
  readonly layers: readonly Descriptor[];
  /** Path of a blob. */
  blob(digest: string): string;
}

async function tar(...args: string[]): Promise<void> {
  const done = await capture(["tar", ...args]);
  if (done?.code !== 0) throw new Error(`tar ${args.join(" ")}: ${done?.stderr}`);
}

/** Takes an image in OCI's layout apart, and with `root` its layers, too. */
export async function unpackImage(file: string, folder: string, root?: string): Promise<UnpackedImage> {
  await Deno.mkdir(folder, { recursive: true });
  await tar("--extract", `--file=${file}`, `--directory=${folder}`);
  const blob = (digest: string) => `${folder}/blobs/${digest.replace(":", "/")}`;
  const read = async (path: string) => JSON.parse(await Deno.readTextFile(path));
  const { manifests } = await read(`${folder}/index.json`);
  const { config, layers } = await read(blob(manifests[0].digest));
  if (root !== undefined) {
    await Deno.mkdir(root, { recursive: true });
    for (const { digest } of layers) {
      await tar(
        "--extract",
        `--file=${blob(digest)}`,
        `--directory=${root}`,
        "--same-owner",
        "--same-permissions",
      );
    }
  }
  return { image: await read(blob(config.digest)), layers, blob };
}

/**
 * Namespaces of its own: no network but loopback, a root that cannot be written but for /tmp and /cache, no rights. Starts the
 * image's program, then runs Deno of the image with a script, whose words are the output.
 */
const CONTAINER = `set -eu
root=$1 chroot=$2 user=$3 script=$4
shift 4
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for each in tmp cache; do mount -t tmpfs -o mode=1777 tmpfs "$root/$each"; done
mount -o remount,bind,ro "$root"
python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh22x", b"lo", 1))'
env -i "$@" >&2 &
env -i "$chroot" --userspec="$user" "$root" /opt/kumi/bin/deno eval "$script"
`;

/** Runs an unpacked image with arguments beside a script for its own Deno; resolves to what both said. */
export async function runContainer(
  root: string,
  { config }: ImageConfig,
  args: readonly string[],
  script: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  // The image's PATH is the one that its program is started with: none of this machine's is found by it.
  const chroot = findOnPath("chroot", `${Deno.env.get("PATH")}:/usr/sbin`) ?? "chroot";
  const program = [...config.Env, chroot, `--userspec=${config.User}`, root, ...config.Entrypoint, ...args];
  const apart = ["unshare", "--mount", "--pid", "--fork", "--net", "--ipc", "--uts", "--kill-child"];
  const done = await capture([
    ...apart,
    "sh",
    "-c",
    CONTAINER,
    "sh",
    root,
    chroot,
    config.User,
    script,
    ...program,
  ]);
  if (done === null) throw new Error("unshare is not there");
  return done;
}
