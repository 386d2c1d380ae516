/** npm run site: the pages as a site of plain files, in build/site. */
import { join } from 'node:path';
import process from 'node:process';
import { buildSite } from './site/build.ts';

const root = join(import.meta.dirname, '..');
const out = join(root, process.argv[2] ?? 'build/site');
const { pages } = buildSite(root, out);
console.log(`${pages} pages are in ${out}: open ${join(out, 'index.html')}`);
