/**
 * node scripts/release-check.mjs
 *
 * Makes into build/release/ what a release publishes, and holds it against what is promised of it: the tarball, types that every resolver finds, licences, known
 * holes in what it depends on, bills of materials, and that it installs and runs in an empty folder on each Node that is supported. What needs a registry that cannot be
 * reached is skipped, and said to be.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { productionPackages, refusedPackages } from './release/licences.ts';

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'build/release');
/** Beside the one that runs this: its binary comes from npm. */
const NEWER_NODE = '26.10.0';
const AWAY = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENOTCACHED|audit endpoint returned an error|network/;

const results = [];
rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT, { recursive: true });
const tarball = pack();
check('types', () => run('attw', [tarball, '--profile', 'esm-only'], ROOT));
check('licences', checkLicences);
// What it says decides whether it was asked at all, however quiet npm was told to be.
check('known holes', () => run('npm', ['audit', '--omit=dev', '--loglevel=warn'], ROOT));
check('bills of materials', writeBills);
check(`runs on Node ${process.versions.node}`, () => tryOn(process.execPath));
check(`runs on Node ${NEWER_NODE}`, () => tryOn(newerNode()));
for (const { name, state, reason } of results)
  console.log(`${state.padEnd(8)}${name}${reason === '' ? '' : `: ${reason}`}`);
if (results.some(({ state }) => state === 'failed')) process.exitCode = 1;

function pack() {
  run(process.execPath, [join(ROOT, 'scripts/package.mjs'), '--out', join(ROOT, 'build/package')], ROOT);
  const [{ filename, unpackedSize, size }] = JSON.parse(
    run('npm', ['pack', '--json', join(ROOT, 'build/package')], OUT),
  );
  console.log(`${filename}: ${(size / 1e6).toFixed(1)} MB, ${(unpackedSize / 1e6).toFixed(1)} MB unpacked`);
  return join(OUT, filename);
}

function check(name, work) {
  try {
    work();
    results.push({ name, state: 'ok', reason: '' });
  } catch (error) {
    const isAway = AWAY.test(error.message);
    results.push({ name, state: isAway ? 'skipped' : 'failed', reason: error.message.trim() });
  }
}

function checkLicences() {
  const packages = productionPackages(JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')));
  const refused = refusedPackages(packages).map(
    ({ path, licence }) => `${path} is under ${licence ?? 'none that it names'}`,
  );
  if (refused.length > 0) throw new Error(refused.join('; '));
}

/** Of what is installed for the package, in the versions of the lock; the image has one of its own. */
function writeBills() {
  const folder = join(OUT, 'bill/eventcore-backup');
  mkdirSync(folder, { recursive: true });
  cpSync(join(ROOT, 'build/package/package.json'), join(folder, 'package.json'));
  cpSync(join(ROOT, 'package-lock.json'), join(folder, 'package-lock.json'));
  run(
    'npm',
    [
      'install',
      '--omit=dev',
      '--omit=optional',
      '--omit=peer',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--prefer-offline',
    ],
    folder,
  );
  for (const [format, ending] of [
    ['cyclonedx', 'cdx.json'],
    ['spdx', 'spdx.json'],
  ]) {
    const bill = run(
      'npm',
      ['sbom', '--sbom-format', format, '--omit', 'dev', '--omit', 'optional', '--omit', 'peer'],
      folder,
    );
    JSON.parse(bill);
    writeFileSync(join(OUT, `eventcore-backup.${ending}`), bill);
  }
  rmSync(join(OUT, 'bill'), { recursive: true });
}

/** As somebody who has nothing but the tarball. Not below this repository, which npm would take for the project that is meant. */
function tryOn(node) {
  const folder = mkdtempSync(join(tmpdir(), 'eventcore-empty-'));
  try {
    tryIn(folder, node);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function tryIn(folder, node) {
  const env = { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` };
  run('npm', ['install', '--omit=dev', '--no-audit', '--no-fund', '--prefer-offline', tarball], folder, env);
  const command = join(folder, 'node_modules/.bin/eventcore');
  const version = run(command, ['--version'], folder, env).trim();
  if (!tarball.endsWith(`-${version}.tgz`)) throw new Error(`it says that it is ${version}`);
  run(command, ['demo', '--no-progress'], folder, env);
}

function newerNode() {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(ROOT, 'build/newer-node');
  const path = join(folder, 'node_modules', name, 'bin/node');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  run(
    'npm',
    ['install', '--no-save', '--no-audit', '--no-fund', '--prefer-offline', `${name}@${NEWER_NODE}`],
    folder,
  );
  if (!existsSync(path)) throw new Error(`${path} is not there`);
  return path;
}

/** What it printed. Throws what it said when it fails. */
function run(program, words, cwd, env = process.env) {
  const path = `${join(ROOT, 'node_modules/.bin')}:${env.PATH}`;
  const { status, stdout, stderr, error } = spawnSync(program, words, {
    ...{
      cwd,
      encoding: 'utf8',
      maxBuffer: 64 << 20,
      env: env === process.env ? { ...env, PATH: path } : env,
    },
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${words[0]}: ${stderr}${stdout}`);
  return stdout;
}
