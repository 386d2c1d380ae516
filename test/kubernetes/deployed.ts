import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

/** All YAML under deploy/ that is for Kubernetes; not templates of Helm, which are no manifests before they are rendered. */
export function deployedFiles(): string[] {
  const files = readdirSync(join(ROOT, 'deploy'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => /\.ya?ml$/.test(file) && !/^(helm|prometheus|container|systemd)\//.test(file))
    .map((file) => join('deploy', file))
    .sort();
}
