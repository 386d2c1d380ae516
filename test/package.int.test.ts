/** What is published: packed, unpacked elsewhere with nothing but its declared dependencies, and used. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { openFixtures } from './docs/fixtures.ts';
import { describeDifferences, QUICK_START, runPage } from './docs/run-page.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..');

let place: string;
let installed: string;
let files: string[];

before(async () => {
  place = await realpath(await mkdtemp(join(tmpdir(), 'eventcore-package-')));
  await run(process.execPath, [join(ROOT, 'scripts/package.mjs'), '--out', join(place, 'package')]);
  const { stdout } = await run('npm', ['pack', '--json', join(place, 'package')], { cwd: place });
  const [tarball] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  files = tarball.files.map((file) => file.path);
  installed = await install(join(place, tarball.filename));
});

after(() => rm(place, { recursive: true, force: true }));

test('the package has the built sources with their types, all that the documents speak of, and nothing else', () => {
  const documents = files.filter((path) => !path.startsWith('dist/'));
  const folders = ['deploy', 'docs', 'man', 'rescue'].flatMap((name) => filesUnder(name));
  const named = ['CHANGELOG.md', 'FORMAT.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json'];
  assert.deepEqual(
    documents.sort(),
    [...named.filter((name) => existsSync(join(ROOT, name))), ...folders].sort(),
  );
  assert.ok(
    documents.includes('rescue/rescue.mjs') && documents.includes('deploy/systemd/eventcore.service'),
  );
  const built = files.filter((path) => path.startsWith('dist/'));
  assert.ok(built.includes('dist/cli/threads/thread-main.js'), 'threads have no file to start from');
  assert.ok(built.includes('dist/stores/sqlite/inspection-process.js'), 'no file to start a process from');
  const styles = readdirSync(new URL('../src/console/assets/style', import.meta.url));
  const assets = ['console.js', 'icon.svg', ...styles.sort().map((name) => `style/${name}`), 'theme.js'].map(
    (name) => `dist/console/assets/${name}`,
  );
  assert.deepEqual(built.filter((path) => path.startsWith('dist/console/assets/')).sort(), assets);
  assert.deepEqual(
    built.filter((path) => !/\.(?:js|d\.ts)$/.test(path) && !assets.includes(path)),
    [],
  );
});

test('the package brings no development dependencies, no binaries, and runs nothing when it is installed', () => {
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  for (const key of ['scripts', 'devDependencies', 'optionalDependencies', 'overrides', 'private']) {
    assert.ok(!(key in manifest), `package.json has ${key}`);
  }
  for (const path of [...Object.values(manifest.bin as object), './dist/index.js']) {
    assert.ok(existsSync(join(installed, path)), `${path} is missing`);
  }
});

test('the installed command tells its version', async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const { stdout } = await runCommand('--version');
  assert.equal(stdout.trim(), version);
});

test('the installed command does what the quick start shows, with PostgreSQL, S3 and threads of its own', async () => {
  const room = openFixtures();
  try {
    const ran = await runPage(QUICK_START, room, { main: join(installed, 'dist/cli/main.js') });
    const differences = describeDifferences(QUICK_START, ran);
    assert.equal(differences.length, 0, differences.join('\n\n'));
  } finally {
    await room.end();
  }
});

test('a program finds the library and the contracts, and the compiler their types', async () => {
  const program = `
    import { BackupError } from 'eventcore-backup';
    import { vaultContract, type VaultFixture } from 'eventcore-backup/testing';
    const error: BackupError = new BackupError('usage', 'no');
    const contract: (options: { name: string; setup: () => Promise<VaultFixture> }) => void = vaultContract;
    console.log(error.exitCode, typeof contract);
  `;
  await writeFile(join(place, 'program.mts'), program);
  const { stdout } = await run(process.execPath, ['program.mts'], { cwd: place });
  assert.equal(stdout.trim(), '2 function');
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node'];
  await run(join(ROOT, 'node_modules/.bin/tsc'), [...options, '--ignoreConfig', 'program.mts'], {
    cwd: place,
  }).catch((error: { stdout: string }) => assert.fail(error.stdout));
});

function filesUnder(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => relative(ROOT, join(parentPath, name)));
}

/** As `npm install --omit=dev` lays it out, without asking a registry. */
async function install(tarball: string): Promise<string> {
  const modules = join(place, 'node_modules');
  const path = join(modules, 'eventcore-backup');
  await mkdir(path, { recursive: true });
  await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', path]);
  const { dependencies } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  // Types of Node and of the PostgreSQL client come from the one who compiles against the package, the client of S3 from who needs it.
  const names = [...Object.keys(dependencies), '@types/node', '@types/pg', '@aws-sdk/client-s3'];
  for (const name of names) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  }
  return path;
}

/** Through the file itself, as the link that npm makes does. */
async function runCommand(...words: string[]) {
  const path = `${dirname(process.execPath)}:${process.env.PATH}`;
  return run(join(installed, 'dist/cli/main.js'), words, { cwd: place, env: { ...process.env, PATH: path } });
}
