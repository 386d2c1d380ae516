import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import {
  awaitCommand,
  digestAt,
  fillStore,
  makeFolder,
  type Ran,
  runCommand,
  startCommand,
  withStoreAt,
} from '../harness/command.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

/** Enough for files that are checked and loaded in threads. */
const EVENTS = 150_000;

describe('the command on PostgreSQL, sealed, with threads', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let postgres: TestPostgres;
  let source: string;
  let target: string;
  let digest: string;
  const eventcore = (...words: string[]): Promise<Ran> =>
    runCommand(folder, [...words, '--vault', 'vault'], { env: { EVENTCORE_STORE: source } });

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    // All of it sealed: keys go to threads too.
    const identity = await generateX25519Identity();
    await writeFile(join(folder, 'owner.txt'), identity, { mode: 0o600 });
    const recipient = await identityToRecipient(identity);
    const config = `encryption:\n  recipients: [${recipient}]\n  identities: [file:owner.txt]\n`;
    await writeFile(join(folder, 'eventcore.config.yaml'), config);
    postgres = await startPostgres();
    source = postgres.address(await postgres.createDatabase());
    target = postgres.address(await postgres.createDatabase());
    digest = await fillStore(source, EVENTS);
  });
  after(async () => {
    await postgres?.stop();
    await remove();
  });

  it('backs up in two ranges, and reads back what it wrote', async () => {
    const ran = await eventcore('backup', 'full', '--parallel', '2', '--json');
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    const { totalEvents, sealed, verified, cursor, backupId } = JSON.parse(ran.stdout);
    assert.deepEqual([totalEvents, sealed, verified, cursor.kind], [EVENTS, true, true, 'postgres']);
    const { files } = JSON.parse((await eventcore('show', backupId, '--json')).stdout);
    const events = files.filter(({ role }: { role: string }) => role === 'events');
    assert.equal(events.length, 2);
  });

  it('verifies it against the store', async () => {
    const ran = await eventcore('verify', '--against-store', '--json');
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    assert.equal(JSON.parse(ran.stdout).backups[0].completenessVerified, true);
  });

  it('finds no difference to the store, and names what it gained since', async () => {
    const same = await eventcore('diff', '--json');
    assert.deepEqual([same.code, same.stderr, JSON.parse(same.stdout).equal], [0, '', true]);
    await withStoreAt(source, (store) =>
      store.append([{ streamId: 'since', events: [{ type: 'T', data: '{}' }] }]),
    );
    const ran = await eventcore('diff', '--json');
    const { totals, streams } = JSON.parse(ran.stdout);
    assert.deepEqual([ran.code, totals.unknown.newer.events, streams[0].streamId], [0, 1, 'since']);
    const gone = `SET session_replication_role = replica; DELETE FROM eventcore_events WHERE stream_id = 'since'`;
    await postgres.exec(gone, new URL(source).pathname.slice(1));
  });

  it('restores into another database: every column of every event', async () => {
    const ran = await eventcore('restore', '--to', target, '--parallel', '2', '--json');
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    assert.equal(JSON.parse(ran.stdout).eventsRestored, EVENTS);
    assert.equal(await digestAt(target), digest);
  });

  it('restores into SQLite, and says what will be different', async () => {
    const ran = await eventcore('restore', '--to', 'sqlite:here.db', '--json');
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    assert.match(JSON.parse(ran.stdout).notes[0], /from postgres to sqlite/);
    await withStoreAt(`sqlite:${folder}/here.db`, async (store) => {
      assert.equal((await store.count()).events, EVENTS);
    });
  });

  it('does not restore over the configured store', async () => {
    const ran = await eventcore('restore', '--to', source.replace('postgres://', 'postgresql://'));
    assert.equal(ran.code, 9);
    assert.match(ran.stderr, /is the configured store itself/);
    assert.equal(await digestAt(source), digest);
  });

  it('stops on Ctrl-C, threads and all, and leaves nothing in the vault', async () => {
    const child = startCommand(folder, [
      'backup',
      'full',
      '--store',
      source,
      '--vault',
      'stopped',
      '--level',
      '19',
    ]);
    const ended = awaitCommand(child);
    const files = () =>
      readdirSync(folder, { recursive: true }).filter((name) => /^stopped\/.*\./.test(String(name)));
    while (files().length === 0) {
      assert.equal(child.exitCode, null, 'it ended before it could be interrupted');
      await sleep(10);
    }
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    assert.equal(code, 130, stderr);
    assert.match(stderr, /interrupted: .*nothing is left behind/);
    assert.deepEqual(files(), []);
  });

  it('says that a database is not there, or holds no event store', async () => {
    const nowhere = source.replace(/[^/]+$/, 'nowhere');
    for (const words of [
      ['backup', 'full', '--store', nowhere],
      ['restore', '--to', nowhere, '--dry-run'],
    ]) {
      const none = await eventcore(...words);
      assert.deepEqual([none.code, none.stdout], [5, '']);
      assert.match(none.stderr, /database "nowhere" does not exist\nhint: check the address, or create/);
    }
    const empty = postgres.address(await postgres.createDatabase());
    const planned = await eventcore('restore', '--to', empty, '--dry-run');
    assert.equal(planned.code, 0, planned.stderr);
    assert.match(
      planned.stdout,
      /^Would restore into .*, which has no event store yet: its tables are created/,
    );
    const ran = await eventcore('backup', 'full', '--store', empty);
    assert.equal(ran.code, 5);
    assert.match(ran.stderr, /no event store/);
    const made = await eventcore(
      'init',
      '--config',
      'made.yaml',
      '--store',
      empty,
      '--create-store',
      '--json',
    );
    assert.equal(made.code, 0, made.stderr);
    assert.equal(JSON.parse(made.stdout).store.state, 'empty');
  });
});
