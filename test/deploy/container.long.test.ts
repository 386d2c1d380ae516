/**
 * The container file, carried out without an engine: its steps run on this machine, and what the image adds to Debian and Node runs under this
 * machine's, as the image's user, in a root file system that is read-only but for /tmp.
 */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { isInContext, parseContainerfile, type Stage } from './containerfile.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const stages = parseContainerfile(readFileSync(join(ROOT, 'deploy/container/Containerfile'), 'utf8'));
const final = stages.at(-1)!;
const ENTRY = join(import.meta.dirname, 'in-container.sh');
const isRoot =
  process.getuid?.() === 0 && spawnSync('unshare', ['--mount', '--pid', '--fork', 'true']).status === 0;
const skip = isRoot ? false : 'needs root, and the right to make namespaces';
const EPOCH = '1700000000';

let place: string;
/** What the image has besides Debian and Node. */
let image: string;

before(async () => {
  place = await mkdtemp(join(tmpdir(), 'eventcore-image-'));
  image = await build('first');
});
after(() => rm(place, { recursive: true, force: true }));

describe('the image', () => {
  it('is the same, to the byte, when it is built again', async () => {
    const again = await build('second');
    assert.equal(digestOf(again), digestOf(image));
  });

  it('has AWS clients, licences and the rescue script, and neither tests nor types nor npm', () => {
    const app = join(image, 'opt/eventcore');
    const files = list(app);
    for (const path of [
      'rescue/rescue.mjs',
      'FORMAT.md',
      'LICENSE',
      'node_modules/@aws-sdk/client-s3/package.json',
    ]) {
      assert.ok(files.includes(path), path);
    }
    assert.ok(files.filter((path) => /license/i.test(path)).length > 50);
    assert.deepEqual(
      files.filter((path) =>
        /\.d\.ts$|\.map$|\.test\.\w+$|node_modules\/(npm|typescript|node-linux)/.test(path),
      ),
      [],
    );
  });

  it('runs as its user, without a name, in a file system that cannot be written to', { skip }, async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    assert.equal((await inContainer('--version')).stdout.trim(), version);
    assert.match((await inContainer('demo', '--no-progress')).stdout, /All of it took/);
    const { stdout, code } = await inContainer('doctor', '--json');
    assert.equal(code, 2);
    assert.ok(Array.isArray((JSON.parse(stdout) as { checks: unknown }).checks));
  });

  it('reaches for a bucket with the clients that it brings', { skip }, async () => {
    const { stderr } = await inContainer(
      'list',
      '--vault',
      's3://nowhere?endpoint=http://127.0.0.1:9&region=eu-central-1',
    );
    assert.match(stderr, /127\.0\.0\.1:9|not be reached|ECONNREFUSED/);
    assert.doesNotMatch(stderr, /npm install/);
  });
});

/** Carries out the steps of the stages in which something is built; gives what the last one copies of them. */
async function build(name: string): Promise<string> {
  const root = join(place, name);
  const stage = stages.find((one) => one.name === 'build')!;
  const workdir = join(root, stepOf(stage, 'WORKDIR').text);
  mkdirSync(workdir, { recursive: true });
  for (const { keyword, words, from } of stage.steps) {
    if (keyword === 'COPY') copyContext(workdir, words!, from);
    if (keyword === 'RUN') await runStep(words!, workdir, root);
  }
  const copied = final.steps.find((step) => step.keyword === 'COPY' && step.from === 'build')!.words![0]!;
  return join(root, copied);
}

function copyContext(workdir: string, words: readonly string[], from: string | null): void {
  assert.equal(from, null);
  const ignore = readFileSync(join(ROOT, '.dockerignore'), 'utf8');
  const filter = (path: string): boolean => path === ROOT || isInContext(ignore, relative(ROOT, path));
  const target = words.at(-1)!;
  for (const source of words.slice(0, -1)) {
    cpSync(join(ROOT, source), join(workdir, target, source), { recursive: true, filter });
  }
}

/** What `npm ci` installs is there already, from the same lock. */
async function runStep(words: readonly string[], workdir: string, root: string): Promise<void> {
  if (words[0] === 'npm' && words[1] === 'ci') {
    symlinkSync(join(ROOT, 'node_modules'), join(workdir, 'node_modules'));
    return;
  }
  assert.equal(words[0], 'node');
  const inRoot = words.slice(1).map((word) => (word.startsWith('/') ? join(root, word) : word));
  await run(process.execPath, inRoot, { cwd: workdir, env: { ...process.env, SOURCE_DATE_EPOCH: EPOCH } });
}

function stepOf(stage: Stage, keyword: string) {
  return stage.steps.findLast((step) => step.keyword === keyword)!;
}

async function inContainer(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const entry = [...stepOf(final, 'ENTRYPOINT').words!, ...words];
  const env = stepOf(final, 'ENV').text.split(/\s+/);
  const settings = [image, process.execPath, stepOf(final, 'USER').text, stepOf(final, 'WORKDIR').text];
  const flags = ['--mount', '--pid', '--fork', '--kill-child', 'sh', ENTRY, ...settings];
  try {
    const { stdout, stderr } = await run('unshare', [...flags, ...env, ...entry], { cwd: place });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

function list(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

/** Of names, rights, times and contents. */
function digestOf(folder: string): string {
  const hash = createHash('sha256');
  for (const path of list(folder)) {
    const file = join(folder, path);
    const found = lstatSync(file);
    hash.update(`${path} ${found.mode} ${found.mtimeMs}\n`);
    if (found.isFile()) hash.update(readFileSync(file));
    if (found.isSymbolicLink()) hash.update(readlinkSync(file));
  }
  return hash.digest('hex');
}
