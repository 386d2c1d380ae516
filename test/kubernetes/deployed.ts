import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

/** All manifests under deploy/; not templates of Helm, which are none before they are rendered, and not what others are made of. */
export function deployedFiles(): string[] {
  const files = readdirSync(join(ROOT, 'deploy'), { recursive: true, encoding: 'utf8' });
  return files
    .filter(
      (file) =>
        /\.ya?ml$/.test(file) &&
        !/^(helm|prometheus|container|systemd)\/|eventcore\.config\.yaml$/.test(file),
    )
    .map((file) => join('deploy', file))
    .sort();
}
