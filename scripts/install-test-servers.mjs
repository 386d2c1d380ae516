/**
 * node scripts/install-test-servers.mjs [chromium]
 *
 * Installs what the integration tests start and npm cannot bring: Ceph's S3, age, BIND 9, PgBouncer, openssl, shells and mandoc; for the long ones Chromium too. Only on Debian and its like, as root,
 * and only when it is not there. Where it cannot, it says why and ends well: the tests that need it skip and say so too.
 * EVENTCORE_TEST_SERVERS=none leaves the machine as it is.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';

const BROWSER = process.argv.slice(2);
const NEEDED = [
  ...[
    'ceph',
    'ceph-mon',
    'ceph-osd',
    'monmaptool',
    'radosgw',
    'radosgw-admin',
    'age',
    'named',
    'pgbouncer',
    'openssl',
    'zsh',
    'fish',
    'mandoc',
  ],
  ...BROWSER,
];
const PACKAGES = [
  'radosgw',
  'ceph-mon',
  'ceph-osd',
  'ceph-common',
  'ceph-base',
  'age',
  'bind9',
  'pgbouncer',
  'openssl',
  'zsh',
  'fish',
  'mandoc',
  ...BROWSER,
];
const FOLDERS = ['/usr/bin', '/usr/sbin'];
const TIMEOUT_MS = 180_000;
const SHOWN_LINES = 15;
// Where there is no network, that is to be known soon.
const SOON = ['-o', 'Acquire::Retries=0', '-o', 'Acquire::http::Timeout=15'];
const UPDATE = ['update', '--quiet=2', ...SOON];
const INSTALL = [
  ...['install', '--yes', '--quiet=2', '--no-install-recommends', '--no-remove'],
  // Another run on the same machine may be at it; and what is lost in a crash of the machine is installed again.
  ...['-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Use-Pty=0', '-o', 'Dpkg::Options::=--force-unsafe-io'],
  ...SOON,
  ...PACKAGES,
];

const missing = NEEDED.filter((name) => !FOLDERS.some((folder) => existsSync(`${folder}/${name}`)));
if (missing.length > 0) install();

function install() {
  const reason = whyNot();
  if (reason !== null) {
    say(`not installing ${PACKAGES.join(', ')}: ${reason}. Tests against what is missing will be skipped`);
    return;
  }
  say(`installing what integration tests need: apt-get install ${PACKAGES.join(' ')}`);
  const startMs = Date.now();
  const endMs = startMs + TIMEOUT_MS;
  let failed = aptGet(INSTALL, endMs);
  // The lists of packages may be old, or not there at all.
  if (failed !== null) failed = aptGet(UPDATE, endMs) ?? aptGet(INSTALL, endMs);
  const seconds = Math.round((Date.now() - startMs) / 1000);
  if (failed === null) say(`installed in ${seconds} s`);
  else
    say(
      `could not install ${PACKAGES.join(', ')} (${seconds} s); tests against what is missing will be skipped:\n${failed}`,
    );
}

function whyNot() {
  if (process.env.EVENTCORE_TEST_SERVERS === 'none') return 'EVENTCORE_TEST_SERVERS is none';
  if (process.platform !== 'linux') return `this is ${process.platform}`;
  if (!existsSync('/usr/bin/apt-get')) return 'there is no apt-get';
  return process.getuid?.() === 0 ? null : 'that takes root';
}

/** Null when it went well, else its last words. */
function aptGet(words, endMs) {
  const { status, stdout, stderr, error } = spawnSync('/usr/bin/apt-get', words, {
    ...{ encoding: 'utf8', timeout: Math.max(1, endMs - Date.now()), maxBuffer: 64 << 20 },
    ...{ stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } },
  });
  if (status === 0) return null;
  const lines = `${stdout}${stderr}${error?.message ?? ''}`.trim().split('\n');
  return lines.slice(-SHOWN_LINES).join('\n');
}

function say(text) {
  console.log(`test servers: ${text}`);
}
