/** Writes what is made of the sample configurations: deploy/kubernetes, and what the chart has of it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeManifests } from './manifests/files.ts';

const ROOT = join(import.meta.dirname, '..');
for (const [path, text] of await makeManifests()) {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true });
  writeFileSync(join(ROOT, path), text);
}
