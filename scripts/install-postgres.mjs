/**
 * node scripts/install-postgres.mjs
 *
 * Fetches the versions of PostgreSQL that tests run against beside the one that `npm ci` brings, as test/harness/postgres-versions/package-lock.json
 * pins them, into build/postgres/. Only what is not there. Where it cannot, it says why and ends well: the tests that need one skip and say so
 * too. EVENTCORE_TEST_SERVERS=none forbids it.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const ROOT = join(import.meta.dirname, '..');
const PINNED = join(ROOT, 'test/harness/postgres-versions');
const PLACE = join(ROOT, 'build/postgres');
const TIMEOUT_MS = 180_000;
const SHOWN_LINES = 5;
const INSTALL = [
  ...['ci', '--ignore-scripts', '--fund=false', '--audit=false', '--prefer-offline'],
  // Where there is no network, that is to be known soon.
  ...['--fetch-retries=1', '--fetch-retry-mintimeout=1000', '--fetch-timeout=60000'],
];

if (!isCurrent()) install();

function isCurrent() {
  const lock = join(PLACE, 'package-lock.json');
  return existsSync(lock) && readFileSync(lock).equals(readFileSync(join(PINNED, 'package-lock.json')));
}

function install() {
  const reason = whyNot();
  if (reason !== null) {
    say(`not fetching other versions: ${reason}. Tests against them will be skipped`);
    return;
  }
  // Elsewhere, and moved at the end: what died on the way is not taken for whole.
  const next = `${PLACE}.${process.pid}`;
  mkdirSync(next, { recursive: true });
  for (const file of ['package.json', 'package-lock.json'])
    copyFileSync(join(PINNED, file), join(next, file));
  const startMs = Date.now();
  const { status, stdout, stderr, error } = spawnSync('npm', INSTALL, {
    ...{ cwd: next, encoding: 'utf8', timeout: TIMEOUT_MS, stdio: ['ignore', 'pipe', 'pipe'] },
    env: environment(),
  });
  const seconds = Math.round((Date.now() - startMs) / 1000);
  const missing = status === 0 ? findMissing(next) : [];
  if (status === 0 && missing.length === 0) {
    rmSync(PLACE, { recursive: true, force: true });
    renameSync(next, PLACE);
    say(`fetched other versions in ${seconds} s`);
    return;
  }
  rmSync(next, { recursive: true, force: true });
  const said = `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}${missing.join(', ')}`
    .trim()
    .split('\n')
    .slice(-SHOWN_LINES);
  say(
    `could not fetch other versions (${seconds} s); tests against them will be skipped:\n${said.join('\n')}`,
  );
}

/** They are optional, since each is for one kind of machine: npm leaves one out in silence, also where it could not be fetched. */
function findMissing(folder) {
  const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(([path, { cpu }]) => cpu?.includes(process.arch) && !existsSync(join(folder, path)))
    .map(([path]) => `${path} is missing`);
}

function whyNot() {
  if (process.env.EVENTCORE_TEST_SERVERS === 'none') return 'EVENTCORE_TEST_SERVERS is none';
  return process.platform === 'linux' ? null : `this is ${process.platform}`;
}

/** `npm run` tells its children which project they belong to: this is another. */
function environment() {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^npm_config_(local_prefix|prefix)$|^npm_package_/i.test(name),
  );
  return Object.fromEntries(own);
}

function say(text) {
  console.log(`PostgreSQL for tests: ${text}`);
}
