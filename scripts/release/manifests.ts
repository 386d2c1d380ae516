/** Where manifests of Kubernetes say the version of the program: the names of images, and the chart. Null where a text says none. */
export function withImageVersion(text: string, from: string, to: string): string | null {
  const old = from.replaceAll('.', '\\.');
  const changed = text
    .replace(new RegExp(`(image: eventcore-backup:)${old}$`, 'gm'), `$1${to}`)
    .replace(new RegExp(`^((?:appV|v)ersion: )${old}$`, 'gm'), `$1${to}`);
  return changed === text ? null : changed;
}
