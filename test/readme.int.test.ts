/** The README shows a true transcript: its commands are run here, in order, and must print what it says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadGenerated } from '../bench/dataset.ts';

const ROOT = join(import.meta.dirname, '..');
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');

interface Step {
  readonly command: string;
  readonly output: string;
}

/** The steps of the first `console` block: a line after `$ ` is a command, what follows is what it prints. */
function readTranscript(): Step[] {
  const block = /```console\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command, ...lines] = part.split('\n');
      return { command: command!, output: lines.join('\n').trim() };
    });
}

/** What differs from run to run: ids, numbers, sizes, and the folder that it runs in. */
function mask(text: string, folder: string): string {
  return text
    .replaceAll(folder, '/data')
    .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '#id')
    .replaceAll(/\b(?=[0-9a-f]*\d)[0-9a-f]{8}\b/g, '#id')
    .replaceAll(/\d[\d,.:]*( (ms|s|kB|MB|B)\b)?/g, '#')
    .replaceAll(/ +/g, ' ')
    .trim();
}

describe('the README', () => {
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'eventcore-readme-'));
    await loadGenerated(`sqlite:${join(folder, 'shop.db')}`, 10_000);
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it('shows what its commands print', () => {
    const steps = readTranscript();
    assert.ok(steps.length >= 4, 'the README has no transcript');
    for (const { command, output } of steps) {
      const line = command.replace(
        /^eventcore /,
        `"${process.execPath}" "${join(ROOT, 'src/cli/main.ts')}" `,
      );
      const run = spawnSync('sh', ['-c', `${line} 2>&1`], { cwd: folder, encoding: 'utf8' });
      assert.equal(mask(run.stdout, folder), mask(output, '/data'), command);
    }
  });

  it('gives the two commands that do all the set-up, and scripts for them', () => {
    assert.match(readme, /npm ci && npm run demo/);
    assert.match(readme, /npm ci && npm test/);
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.ok(scripts.demo && scripts.test);
    assert.match(readFileSync(join(ROOT, '.ci/run'), 'utf8'), /npm ci && npm test/);
  });

  it('has an example of the library that runs', () => {
    const example = join(ROOT, 'examples/backup-and-restore.ts');
    const run = spawnSync(process.execPath, [example], { encoding: 'utf8' });
    assert.equal(
      run.stdout,
      'backed up 2 events in 2 streams\nrestored, equal in every column\n',
      run.stderr,
    );
  });
});
