/** Writes what is generated from code: docs/reference and man. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makePages } from './reference/pages.ts';

const ROOT = join(import.meta.dirname, '..');
for (const [path, text] of await makePages()) {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true });
  writeFileSync(join(ROOT, path), text);
}
