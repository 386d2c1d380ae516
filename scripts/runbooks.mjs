/** Writes the pages that are made of the tables of disaster recovery: src/disaster/SPEC.md and docs/runbooks. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makePages } from './runbooks/pages.ts';

const ROOT = join(import.meta.dirname, '..');
for (const [path, text] of makePages()) {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true });
  writeFileSync(join(ROOT, path), text);
}
