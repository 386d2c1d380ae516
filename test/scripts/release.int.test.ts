/** A release, made in a repository of its own. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { gitIn } from '../../scripts/release/commit.ts';

const SCRIPT = join(import.meta.dirname, '../../scripts/release.mjs');
const WHO = ['AUTHOR', 'COMMITTER'].flatMap((who) => [
  [`GIT_${who}_NAME`, 'A Maintainer'],
  [`GIT_${who}_EMAIL`, 'maintainer@example.com'],
]);
const ENV = { ...process.env, ...Object.fromEntries(WHO), GIT_CONFIG_GLOBAL: '/dev/null' };

describe('a release', () => {
  let root: string;
  let git: ReturnType<typeof gitIn>;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'eventcore-release-'));
    git = gitIn(root, Object.fromEntries(WHO));
    const version = '0.1.0';
    write('package.json', `${JSON.stringify({ name: 'x', version }, null, 2)}\n`);
    const packages = { '': { name: 'x', version }, 'node_modules/y': { version } };
    write('package-lock.json', `${JSON.stringify({ name: 'x', version, packages }, null, 2)}\n`);
    mkdirSync(join(root, 'deploy/helm/x'), { recursive: true });
    write('deploy/helm/x/Chart.yaml', 'apiVersion: v2\nversion: 0.1.0\nappVersion: 0.1.0\n');
    write('deploy/helm/x/pod.yaml', '  image: eventcore-backup:0.1.0\n  image: other:0.1.0\n');
    mkdirSync(join(root, 'changelog/unreleased'), { recursive: true });
    write('changelog/unreleased/one.md', '# Added: Something new for everyone\n\nIt is there.\n');
    write('changelog/unreleased/two.md', '# Fixed: Something that was wrong\n\nIt is right.\n');
    git(['init', '--quiet', '--initial-branch=main']);
    git(['add', '.']);
    git(['commit', '--quiet', '-m', 'begin']);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const write = (path: string, text: string): void => writeFileSync(join(root, path), text);
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const words = (...more: string[]): string[] => [SCRIPT, '--root', root, ...more];
  const run = (...more: string[]) =>
    spawnSync(process.execPath, words(...more), { encoding: 'utf8', env: ENV });
  const isWhole = (): void => {
    assert.equal(git(['status', '--porcelain']), '');
    assert.equal(git(['log', '--format=%s']), 'release: 0.2.0\nbegin');
    assert.match(
      git(['tag', '--list', '--format=%(contents)', 'v0.2.0']),
      /^## 0\.2\.0 \([\d-]{10}\)\n\n### Added/,
    );
    assert.match(read('package.json'), /"version": "0\.2\.0"/);
    assert.equal(read('package-lock.json').match(/"version": "0\.2\.0"/g)?.length, 2);
    assert.match(read('package-lock.json'), /"node_modules\/y": \{\s+"version": "0\.1\.0"/);
    assert.equal(read('deploy/helm/x/Chart.yaml'), 'apiVersion: v2\nversion: 0.2.0\nappVersion: 0.2.0\n');
    assert.equal(read('deploy/helm/x/pod.yaml'), '  image: eventcore-backup:0.2.0\n  image: other:0.1.0\n');
    assert.deepEqual(readdirSync(join(root, 'changelog/0.2.0')).sort(), ['one.md', 'two.md']);
    assert.deepEqual(readdirSync(join(root, 'changelog/unreleased')), ['.gitkeep']);
  };

  it('is shown first, and nothing is done', () => {
    const { status, stdout } = run('minor');
    assert.equal(status, 0);
    assert.match(
      stdout,
      /### Fixed\n\n- \*\*Something that was wrong\.\*\* It is right\.\n\nNothing was done/,
    );
    assert.equal(git(['status', '--porcelain']), '');
    assert.equal(git(['tag', '--list']), '');
  });

  it('is one commit and a tag, and is made once', () => {
    assert.equal(run('minor', '--apply').status, 0);
    isWhole();
    assert.match(run('0.2.0', '--apply').stderr, /v0\.2\.0 is released/);
    assert.match(run('patch', '--apply').stderr, /nothing to release/);
  });

  it('is not made of what is not committed', () => {
    write('package.json', `${read('package.json')}\n`);
    const { status, stderr } = run('minor', '--apply');
    assert.equal(status, 1);
    assert.match(stderr, /not committed:\s+M package\.json/);
    assert.equal(git(['tag', '--list']), '');
  });

  it('that was killed is made whole by the same command', async () => {
    const begunMs = performance.now();
    run('0.2.0');
    const tookMs = performance.now() - begunMs;
    for (const share of [0.6, 0.9, 1.1, 1.2, 1.3, 1.5]) {
      await killed(share * tookMs);
      // What git itself was doing to the work tree when it was killed is undone as git says.
      for (const lock of globSync('.git/**/*.lock', { cwd: root })) rmSync(join(root, lock));
      git(['reset', '--quiet', '--hard']);
    }
    if (git(['tag', '--list', 'v0.2.0']) === '') {
      const { status, stderr } = run('0.2.0', '--apply');
      assert.equal(status, 0, stderr);
    }
    isWhole();
  });

  it('that has its commit, and a work tree that did not follow, says what makes it whole', () => {
    run('0.2.0', '--apply');
    git(['tag', '--delete', 'v0.2.0']);
    git(['read-tree', 'HEAD~1']);
    rmSync(join(root, 'changelog/0.2.0'), { recursive: true });
    const { status, stderr } = run('0.2.0', '--apply');
    assert.equal(status, 1);
    assert.match(stderr, /the release was killed: `git reset --hard`/);
    git(['reset', '--quiet', '--hard']);
    assert.equal(run('0.2.0', '--apply').status, 0);
    isWhole();
  });

  it('that has its commit and no tag yet gets the tag', () => {
    run('0.2.0', '--apply');
    git(['tag', '--delete', 'v0.2.0']);
    assert.equal(run('0.2.0', '--apply').status, 0);
    isWhole();
  });

  it('may be the first one, of the version that is there', () => {
    assert.equal(run('0.1.0', '--apply').status, 0);
    assert.equal(git(['tag', '--list']), 'v0.1.0');
    assert.match(read('CHANGELOG.md'), /^## 0\.1\.0 /m);
  });

  function killed(ms: number): Promise<void> {
    const child = spawn(process.execPath, words('0.2.0', '--apply'), {
      env: ENV,
      stdio: 'ignore',
      detached: true,
    });
    const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), ms);
    return new Promise((resolve) => {
      child.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
});
