import assert from 'node:assert/strict';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { digestAt, fillStore, makeFolder, type Ran, runCommand, withStoreAt } from '../harness/command.ts';

const EVENTS = 20_000;

/** One operator, one store, one night: each step finds what the step before has left. */
describe('from an empty folder to a restored store', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let digest: string;
  let backupId: string;
  const eventcore = (...words: string[]): Promise<Ran> => runCommand(folder, words);
  const json = async (...words: string[]) => {
    const ran = await eventcore(...words, '--json');
    assert.equal(ran.stderr, '');
    return { ran, document: JSON.parse(ran.stdout) };
  };

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
  });
  after(() => remove());

  it('init writes a configuration and says that there is no store yet', async () => {
    const ran = await eventcore('init');
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /Wrote .*eventcore\.config\.yaml/);
    assert.match(ran.stdout, /no event store there yet; --create-store/);
    assert.match(
      await readFile(join(folder, 'eventcore.config.yaml'), 'utf8'),
      /store: sqlite:\.\/events\.db/,
    );
  });

  it('init does not overwrite it unless told to, and creates a store when asked', async () => {
    const refused = await eventcore('init');
    assert.equal(refused.code, 9);
    assert.match(refused.stderr, /^error: .*exists\nhint: .*--force/);
    const { document } = await json('init', '--force', '--create-store');
    assert.equal(document.store.created, true);
    assert.equal(document.store.state, 'empty');
    assert.equal(document.vault.backups, 0);
  });

  it('init writes addresses that are right where the file lies', async () => {
    const ran = await eventcore('init', '--config', 'etc.yaml', '--vault', './v');
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(await readFile(join(folder, 'etc.yaml'), 'utf8'), /^vault: \.\/v$/m);
    await mkdir(join(folder, 'etc'));
    await eventcore('init', '--config', 'etc/other.yaml', '--store', 'sqlite:events.db', '--vault', './v');
    const text = await readFile(join(folder, 'etc', 'other.yaml'), 'utf8');
    assert.ok(text.includes(`\nstore: sqlite:${folder}/events.db\n`), text);
    assert.ok(text.includes(`\nvault: file:${folder}/v\n`), text);
  });

  it('an empty store can be backed up and restored', async () => {
    const { document } = await json('backup', 'full');
    assert.deepEqual([document.totalEvents, document.eventRange, document.verified], [0, null, true]);
    const ran = await eventcore('restore', '--to', 'sqlite:./empty.db');
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /events {4}0 in 0 streams/);
  });

  it('backup full says all that the contract promises', async () => {
    await withStoreAt(`sqlite:${folder}/events.db`, (store) => store.clear());
    digest = await fillStore(`sqlite:${folder}/events.db`, EVENTS);
    const { ran, document } = await json('backup', 'full');
    assert.equal(ran.code, 0);
    backupId = document.backupId;
    assert.match(backupId, /^[0-9a-f-]{36}$/);
    const { kind, parentId, format, compression, sealed, totalEvents, verified } = document;
    assert.deepEqual(
      { kind, parentId, format, compression, sealed, totalEvents, verified },
      {
        kind: 'full',
        parentId: null,
        format: 'columns',
        compression: 'zstd',
        sealed: false,
        totalEvents: EVENTS,
        verified: true,
      },
    );
    for (const time of [document.createdAt, document.finishedAt]) assert.match(time, /^\d{4}-.*T.*Z$/);
    for (const key of ['totalStreams', 'sizeBytes', 'plainBytes', 'durationMs'])
      assert.ok(document[key] > 0, key);
    assert.match(document.checksum, /^[0-9a-f]{64}$/);
    assert.equal(document.cursor.kind, 'sqlite');
    const { eventRange } = document;
    assert.deepEqual(Object.keys(eventRange), [
      'earliestEvent',
      'latestEvent',
      'earliestVersion',
      'latestVersion',
    ]);
    assert.equal(eventRange.earliestVersion, '1');
  });

  it('list shows both backups, and the instants that they bring back', async () => {
    const { document } = await json('list');
    assert.deepEqual(Object.keys(document), [
      'vault',
      'backups',
      'recoveryWindows',
      'gaps',
      'log',
      'logProblems',
      'unfinished',
      'damaged',
      'lag',
    ]);
    assert.deepEqual(
      document.backups.map((backup: { totalEvents: number }) => backup.totalEvents),
      [0, EVENTS],
    );
    const { createdAt } = document.backups[1];
    const { from, to, source } = document.recoveryWindows[1];
    assert.deepEqual({ from, to, source }, { from: createdAt, to: createdAt, source: 'backup' });
    const { stdout } = await eventcore('list');
    assert.match(stdout, /^2 backups in file:/);
    assert.match(stdout, new RegExp(`^ {2}${backupId.slice(0, 8)} {2}full .* 20,000 .* columns, zstd$`, 'm'));
  });

  it('show says what one backup holds, and lists its streams', async () => {
    const { stdout } = await eventcore('show', backupId.slice(0, 6));
    assert.match(stdout, new RegExp(`full backup ${backupId}`));
    assert.match(stdout, /events-00001\.columns\.zst +20,000/);
    const { document } = await json('show', backupId, '--streams');
    assert.equal(document.streams.length, document.totalStreams);
    const events = document.streams.reduce(
      (sum: number, stream: { events: number }) => sum + stream.events,
      0,
    );
    assert.equal(events, EVENTS);
    const listed = await eventcore('show', backupId, '--streams');
    assert.match(listed.stdout, /1–\d+ +account-10000$/m);
  });

  it('verify finds both sound, also against the store', async () => {
    const { ran, document } = await json('verify', '--against-store');
    assert.equal(ran.code, 0);
    assert.equal(document.overallValid, true);
    const [first, second] = document.backups;
    assert.deepEqual([first.completenessVerified, second.completenessVerified], [false, true]);
    for (const key of ['checksumValid', 'metadataConsistent', 'eventsValid'])
      assert.equal(second[key], true, key);
    assert.deepEqual([second.missingEvents, second.problems], [0, []]);
    assert.match(second.verificationTime, /Z$/);
  });

  it('verify against the store fails when the store has moved on, and says by how much', async () => {
    await withStoreAt(`sqlite:${folder}/events.db`, (store) =>
      store.append([{ streamId: 'late', events: [{ type: 'CameLate', data: '{}' }] }]),
    );
    const ran = await eventcore('verify', backupId, '--against-store');
    assert.equal(ran.code, 4);
    assert.match(ran.stdout, /lacks 1 event/);
  });

  it('a restore over the configured store is refused by name, and the store is as it was', async () => {
    const ran = await eventcore('restore', '--to', 'sqlite:events.db');
    assert.equal(ran.code, 9);
    assert.match(ran.stderr, /is the configured store itself and holds events\nhint: .*--replace/);
    assert.notEqual(await digestAt(`sqlite:${folder}/events.db`), digest);
  });

  it('a dry run says what would be done and changes nothing', async () => {
    const { ran, document } = await json('restore', '--to', 'sqlite:./plan.db', '--dry-run');
    assert.equal(ran.code, 0);
    const { dryRun, action, events, chain } = document;
    assert.deepEqual(
      { dryRun, action, events, chain },
      { dryRun: true, action: 'create', events: EVENTS, chain: [backupId] },
    );
    await withStoreAt(`sqlite:${folder}/plan.db`, async (store) => {
      assert.equal((await store.inspect()).state, 'missing');
    });
  });

  it('a restore into an empty place brings back every column of every event', async () => {
    const { ran, document } = await json('restore', '--to', 'sqlite:./restored.db');
    assert.equal(ran.code, 0);
    assert.equal(await digestAt(`sqlite:${folder}/restored.db`), digest);
    const { eventsRestored, streamsRestored, dataIntegrityVerified, checkpoints, leftOut, discarded, notes } =
      document;
    assert.deepEqual(
      { eventsRestored, dataIntegrityVerified, checkpoints, leftOut, discarded, notes },
      {
        eventsRestored: EVENTS,
        dataIntegrityVerified: true,
        checkpoints: [],
        leftOut: [],
        discarded: [],
        notes: [],
      },
    );
    assert.ok(streamsRestored > 0);
    assert.deepEqual([document.backupId, document.chain], [backupId, [backupId]]);
    assert.match(document.target.time, /Z$/);
    assert.match(document.recoveryTime, /Z$/);
    assert.match(document.epoch, /^[0-9a-f-]{36}$/);
  });

  it('a second restore there is refused, and --replace allows it', async () => {
    const refused = await eventcore('restore', '--to', 'sqlite:./restored.db');
    assert.equal(refused.code, 9);
    assert.match(refused.stderr, /restored\.db is not empty\nhint: .*--replace/);
    const planned = await eventcore('restore', '--to', 'sqlite:./restored.db', '--dry-run');
    assert.equal(planned.code, 9);
    const allowed = await eventcore('restore', '--to', 'sqlite:./restored.db', '--replace');
    assert.equal(allowed.code, 0, allowed.stderr);
    assert.equal(await digestAt(`sqlite:${folder}/restored.db`), digest);
  });

  it('one changed byte is found, with its file and chunk, and a restore from it publishes nothing', async () => {
    const { document } = await json('show', backupId);
    const file = document.files.find(({ role }: { role: string }) => role === 'events');
    const chunk = await flipByte(join(folder, 'backups', document.folder, file.name), file.sizeBytes >> 1);
    assert.equal(chunk, true);
    const ran = await eventcore('verify');
    assert.equal(ran.code, 4);
    assert.match(ran.stdout, /^FAILED: 1 of 2 backups/);
    assert.match(
      ran.stdout,
      /chunk_checksum {2}chunk \d+ of events-00001\.columns\.zst does not have its checksum/,
    );
    const quick = await eventcore('verify', '--quick');
    assert.equal(quick.code, 0, 'a changed byte is not seen by sizes');
    const restore = await eventcore('restore', '--to', 'sqlite:./never.db');
    assert.equal(restore.code, 4);
    assert.match(restore.stderr, /chunk \d+ of events-00001/);
    await withStoreAt(`sqlite:${folder}/never.db`, async (store) => {
      assert.equal((await store.inspect()).state, 'missing');
    });
  });

  it('verify --json has the damage for programs', async () => {
    const { ran, document } = await json('verify', backupId);
    assert.equal(ran.code, 4);
    assert.equal(document.overallValid, false);
    const [backup] = document.backups;
    assert.deepEqual([backup.checksumValid, backup.eventsValid], [false, false]);
    const problem = backup.problems.find(({ code }: { code: string }) => code === 'chunk_checksum');
    assert.deepEqual(Object.keys(problem), [
      'code',
      'file',
      'chunk',
      'streamId',
      'version',
      'message',
      'rung',
    ]);
    assert.equal(problem.file, 'events-00001.columns.zst');
    assert.equal(typeof problem.chunk, 'number');
  });
});

async function flipByte(path: string, offset: number): Promise<boolean> {
  const handle = await open(path, 'r+');
  try {
    const byte = new Uint8Array(1);
    await handle.read(byte, 0, 1, offset);
    byte[0]! ^= 0x10;
    const { bytesWritten } = await handle.write(byte, 0, 1, offset);
    return bytesWritten === 1;
  } finally {
    await handle.close();
  }
}
