import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fillStore, makeFolder, type Ran, runHere } from '../../harness/command.ts';

const EVENTS = 5000;

describe('an export', () => {
  let folder: string;
  let remove: () => Promise<void>;
  const eventcore = async (...words: string[]): Promise<Ran> => runHere([...words, '--vault', 'vault']);
  const backUp = async (...words: string[]): Promise<string> => {
    const ran = await eventcore('backup', 'full', '--store', 'sqlite:events.db', '--json', ...words);
    assert.equal(ran.code, 0, ran.stderr);
    return JSON.parse(ran.stdout).backupId;
  };

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    process.chdir(folder);
    await fillStore(`sqlite:${folder}/events.db`, EVENTS);
  });
  after(() => {
    process.chdir('/');
    return remove();
  });

  it('has one JSON object for each event, with all that the event is', async () => {
    const { code, stdout } = await eventcore('export', '--store', 'sqlite:events.db', '--to', '-');
    assert.equal(code, 0);
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines.length, EVENTS);
    const versions = new Map<string, number>();
    for (const line of lines) {
      const { id, streamId, version, type, recordedAt, data, metadata, ...rest } = JSON.parse(line);
      assert.deepEqual(rest, {});
      assert.match(id, /^[0-9a-f-]{36}$/);
      assert.equal(version, (versions.get(streamId) ?? 0) + 1);
      versions.set(streamId, version);
      assert.ok(type.length > 0);
      assert.match(recordedAt, /^2024-.*Z$/);
      assert.equal(typeof data, 'object');
      assert.equal(typeof metadata.correlationId, 'string');
    }
  });

  it('is the same from the store and from a backup in any format', async () => {
    const { stdout: fromStore } = await eventcore('export', '--store', 'sqlite:events.db', '--to', '-');
    for (const format of ['columns', 'jsonl', 'msgpack']) {
      for (const compression of ['zstd', 'gzip', 'none']) {
        const id = await backUp('--format', format, '--compression', compression);
        const ran = await eventcore('export', id, '--to', '-');
        assert.equal(ran.code, 0, ran.stderr);
        // Not by assert.equal: it would print both.
        assert.ok(ran.stdout === fromStore, `${format} ${compression}`);
      }
    }
  });

  it('goes into a file that is its owner’s alone, and leaves nothing beside it', async () => {
    const id = await backUp();
    const ran = await eventcore('export', id, '--to', 'out/events.jsonl');
    assert.equal(ran.code, 2, 'folders are not made');
    await mkdir('out');
    const { stdout } = await eventcore('export', id, '--to', 'out/events.jsonl', '--json');
    const document = JSON.parse(stdout);
    assert.deepEqual(await readdir('out'), ['events.jsonl']);
    const { size, mode } = await stat('out/events.jsonl');
    assert.equal(mode & 0o777, 0o600);
    assert.deepEqual([document.events, document.sizeBytes, document.backupId], [EVENTS, size, id]);
  });

  it('replaces a file only when told to, and nothing but a file', async () => {
    const id = await backUp();
    await writeFile('mine.jsonl', 'mine');
    assert.equal((await eventcore('export', id, '--to', 'mine.jsonl')).code, 9);
    assert.equal(await readFile('mine.jsonl', 'utf8'), 'mine');
    assert.equal((await eventcore('export', id, '--to', 'mine.jsonl', '--force')).code, 0);
    assert.ok((await stat('mine.jsonl')).size > 4);
    await mkdir('a-folder');
    const refused = await eventcore('export', id, '--to', 'a-folder', '--force');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /no regular file/);
  });

  it('of a damaged backup names the chunk and leaves no file', async () => {
    const id = await backUp();
    const path = join('vault', 'backups', `full-backup-${id}.eventcore`, 'events-00001.columns.zst');
    const bytes = await readFile(path);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(path, bytes);
    const ran = await eventcore('export', id, '--to', 'damaged.jsonl');
    assert.equal(ran.code, 4);
    assert.match(ran.stderr, /chunk \d+ of events-00001\.columns\.zst does not have its checksum/);
    assert.deepEqual(
      (await readdir('.')).filter((name) => name.startsWith('damaged')),
      [],
    );
  });
});
