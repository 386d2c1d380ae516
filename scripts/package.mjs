/**
 * node scripts/package.mjs [--out FOLDER]
 *
 * Builds dist/ and puts what is published into FOLDER (build/package by default), then has publint look at it. The
 * package.json in it is the repository's without what is only for working on the sources: scripts,
 * development dependencies, and the Node and PostgreSQL binaries that are optional dependencies here.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { copyAssets } from './copy-assets.mjs';

const NOT_PUBLISHED = [
  'private',
  'scripts',
  'devDependencies',
  'optionalDependencies',
  'overrides',
  'allowScripts',
];

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({ options: { out: { type: 'string', default: join(root, 'build/package') } } });
const out = resolve(values.out);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
build(join(out, 'dist'));
const manifest = readManifest();
for (const file of manifest.files) {
  // Before the first release there is no CHANGELOG.md.
  if (file === 'dist' || (file === 'CHANGELOG.md' && !existsSync(join(root, file)))) continue;
  cpSync(join(root, file), join(out, file), { recursive: true });
}
writeFileSync(join(out, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
for (const path of Object.values(manifest.bin)) makeExecutable(join(out, path));
await check();
console.log(`${manifest.name} ${manifest.version} is in ${out}`);

function build(dist) {
  const { status, error } = spawnSync('tsc', ['-p', 'tsconfig.build.json', '--outDir', dist], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` },
  });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(1);
  copyAssets(dist);
}

function readManifest() {
  const all = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return Object.fromEntries(Object.entries(all).filter(([key]) => !NOT_PUBLISHED.includes(key)));
}

/** npm links the file as it is: it must say what runs it. */
function makeExecutable(path) {
  if (!readFileSync(path, 'utf8').startsWith('#!/usr/bin/env node\n')) {
    throw new Error(`${path} does not start with #!/usr/bin/env node`);
  }
  chmodSync(path, 0o755);
}

async function check() {
  const { messages } = await publint({ pkgDir: out, level: 'warning', strict: true });
  for (const message of messages) console.error(formatMessage(message, manifest));
  if (messages.length > 0) process.exit(1);
}
