/**
 * node scripts/copy-assets.mjs [FOLDER]
 *
 * Puts what pages of the console load beside the built modules in FOLDER (dist by default): tsc copies nothing that it does not compile.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(import.meta.dirname, '..');
const ASSETS = 'console/assets';

export function copyAssets(dist) {
  cpSync(join(root, 'src', ASSETS), join(dist, ASSETS), { recursive: true });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) copyAssets(process.argv[2] ?? join(root, 'dist'));
