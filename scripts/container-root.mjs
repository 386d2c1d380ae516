/**
 * node scripts/container-root.mjs --out FOLDER
 *
 * Puts into FOLDER what the container image adds to Debian and Node: the package as it is published with its dependencies, AWS's clients among them, in
 * the versions of package-lock.json and with its checksums. Files for compilers and readers are left out, and what decides whether two builds are the
 * same is fixed: rights, and, where SOURCE_DATE_EPOCH is set, times.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');
const APP = 'opt/eventcore';
/** Never loaded: types and sources, maps of them, pages, and what is for those who work on a package. */
const NEEDLESS = [
  /\.(?:ts|mts|cts|map|md)$/,
  /\.test\.[cm]?js$/,
  /^node_modules\/(?:@[^/]+\/)?[^/]+\/(?:tests?|benchmarks?|examples?)\//,
  /^node_modules\/.*\/\./,
];
const KEPT = /(?:^|\/)(?:licen[cs]e|notice|copying)[^/]*$|^[^/]+$|^(?:docs|rescue)\//i;

const { values } = parseArgs({ options: { out: { type: 'string' } } });
if (values.out === undefined) {
  console.error('usage: node scripts/container-root.mjs --out FOLDER');
  process.exit(2);
}
const out = resolve(values.out);
const app = join(out, APP);

rmSync(out, { recursive: true, force: true });
run(process.execPath, [join(ROOT, 'scripts/package.mjs'), '--out', app], ROOT);
installDependencies();
cpSync(join(ROOT, 'deploy/container/healthcheck.mjs'), join(app, 'healthcheck.mjs'));
for (const path of needlessFiles()) rmSync(join(app, path));
mkdirSync(join(out, 'etc/eventcore'), { recursive: true });
mkdirSync(join(out, 'usr/local/bin'), { recursive: true });
symlinkSync(`/${APP}/dist/cli/main.js`, join(out, 'usr/local/bin/eventcore'));
settle();

/** Optional for who installs the package; an image cannot be added to where it runs. */
function installDependencies() {
  const manifest = readJson(join(app, 'package.json'));
  const { devDependencies } = readJson(join(ROOT, 'package.json'));
  const { peerDependencies, peerDependenciesMeta: _, ...rest } = manifest;
  const peers = Object.keys(peerDependencies).map((name) => [name, devDependencies[name]]);
  writeJson(join(app, 'package.json'), {
    ...rest,
    dependencies: { ...manifest.dependencies, ...Object.fromEntries(peers) },
  });
  cpSync(join(ROOT, 'package-lock.json'), join(app, 'package-lock.json'));
  const flags = [
    '--omit=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--prefer-offline',
    '--no-bin-links',
  ];
  run('npm', ['install', ...flags], app);
  requireLocked();
  rmSync(join(app, 'package-lock.json'));
}

/** npm keeps to a lock of more than it needs; that it did is not left to trust. */
function requireLocked() {
  const locked = readJson(join(ROOT, 'package-lock.json')).packages;
  for (const [path, { version, integrity }] of Object.entries(installedPackages())) {
    if (integrity !== undefined && locked[path]?.integrity === integrity) continue;
    throw new Error(`${path} ${version} is not what package-lock.json has there`);
  }
}

function installedPackages() {
  return readJson(join(app, 'node_modules/.package-lock.json')).packages;
}

function needlessFiles() {
  return list(app)
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(app, pathOf(entry)))
    .filter((path) => NEEDLESS.some((pattern) => pattern.test(path)) && !KEPT.test(path));
}

/** The same whoever built it, with whatever umask. */
function settle() {
  const seconds = Number(process.env.SOURCE_DATE_EPOCH || Number.NaN);
  for (const entry of list(out)) {
    const path = pathOf(entry);
    if (entry.isDirectory() && path.startsWith(app) && readdirSync(path).length === 0) {
      rmdirSync(path);
      continue;
    }
    if (!entry.isSymbolicLink()) {
      const isRun = entry.isDirectory() || (statSync(path).mode & 0o100) !== 0;
      chmodSync(path, isRun ? 0o755 : 0o644);
    }
    if (!Number.isNaN(seconds)) lutimesSync(path, seconds, seconds);
  }
}

/** What is in a folder before the folder itself, whose times change with it. */
function list(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).sort((one, other) =>
    pathOf(one) < pathOf(other) ? 1 : -1,
  );
}

function pathOf({ parentPath, name }) {
  return join(parentPath, name);
}

function run(program, words, cwd) {
  const { status, error } = spawnSync(program, words, { cwd, stdio: 'inherit' });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
