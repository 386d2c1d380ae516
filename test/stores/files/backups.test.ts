import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { EventStore } from '../../../src/core/event-store.ts';
import { digestStore } from '../../../src/integrity/store-digest.ts';
import { readAll, readCompanions } from '../../../src/testing/event-store/restoring.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { newestChain } from '../../harness/chain-backup.ts';
import { backUp, fill } from '../../harness/memory-backup.ts';
import { digestChain, takeIncremental } from '../../harness/proof-run.ts';
import { restoreNewest } from '../../layouts/restore-newest.ts';
import { temporaryStore } from '../sqlite/temporary-store.ts';
import { type Folder, temporaryFolder, testId } from './folder.ts';

/** Two replicas that were merged, an odd payload, a file of format 1, and what a consumer has seen. */
function writeHistory(folder: Folder): { tips: string[] } {
  const first = folder.write({ events: ['a@1', 'ünï "b"@1', 'a@2'] });
  const left = folder.write({ parents: [first], events: ['a@3', '10@1'] });
  const right = folder.write({
    parents: [first],
    events: ['a@3'],
    replica: testId(),
    at: '2026-11-22T00:00:00+00:00',
  });
  const merge = folder.write({ parents: [left, right], events: ['a@5'] });
  const odd = `{"event_id":"${testId().toUpperCase()}","record":"event", "stream_id":"odd","stream_version":1,"event_type":"T","metadata":{},"event_data":{"z": 1.0,"a":2}}\n\n`;
  const last = folder.write({ parents: [merge], events: [], payload: odd });
  folder.write({ parents: [merge], events: ['old@1'], version: 1 });
  // As EventCore writes a line, but for a carriage return between values, which a restore would take out of the event's data.
  const returned = `{"record":"event","event_id":"${testId()}","stream_id":"cr","stream_version":1,"event_type":"T","event_data":{"a":\r1},"metadata":{}}\n`;
  folder.write({ parents: [merge], events: [], payload: returned });
  const write = (name: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(folder.root, name)), { recursive: true });
    fs.writeFileSync(path.join(folder.root, name), text);
  };
  write(
    'index/ingestion.log',
    `{"event_id":"${testId()}","seq":1}\n{"event_id":"${testId()}","seq":2}\n{"event_i`,
  );
  write(
    `checkpoints/${Buffer.from('reader/é').toString('hex')}.json`,
    '00000000-0000-0002-0000-000000000000',
  );
  write('.eventcore/replica_id', testId());
  return { tips: [last] };
}

function read(root: string, name: string): string | null {
  const file = path.join(root, name);
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : null;
}

const CHECKPOINT = `checkpoints/${Buffer.from('reader/é').toString('hex')}.json`;

test('a restored folder has the same files byte for byte, with checkpoints and their log, and no identity of a writer', async (t) => {
  const source = temporaryFolder(t);
  writeHistory(source);
  const vault = memoryVault();
  await backUp(source.store, vault);
  const target = temporaryFolder(t, '');
  await restoreNewest(vault, target.store);
  assert.deepEqual(target.files(), source.files());
  assert.deepEqual(await digestStore(target.store), await digestStore(source.store));
  const log = read(source.root, 'index/ingestion.log')!;
  assert.equal(read(target.root, 'index/ingestion.log'), log.slice(0, log.lastIndexOf('\n') + 1));
  assert.equal(read(target.root, CHECKPOINT), read(source.root, CHECKPOINT));
  assert.deepEqual(fs.readdirSync(path.join(target.root, '.eventcore')), []);
  await target.store.append([{ streamId: 'a', expectedVersion: 5n, events: [{ type: 'T', data: '{}' }] }]);
  assert.equal((await target.store.readStream('a')).length, 6);
});

test('consumers begin anew when they are to, without the log that their positions are of', async (t) => {
  const source = temporaryFolder(t);
  writeHistory(source);
  const vault = memoryVault();
  await backUp(source.store, vault);
  const target = temporaryFolder(t);
  await restoreNewest(vault, target.store, 'reset');
  assert.deepEqual([read(target.root, 'index/ingestion.log'), read(target.root, CHECKPOINT)], [null, null]);
  assert.deepEqual(target.files(), source.files());
});

test('a replaced store keeps nothing of the old one: positions, log, snapshots, or the identity of its writer', async (t) => {
  const target = temporaryFolder(t);
  writeHistory(target);
  await fill(target.store, [{ streamId: 'new', version: 1 }]);
  assert.deepEqual(
    (await readAll(target.store)).map(({ streamId }) => streamId),
    ['new'],
  );
  for (const name of ['index/ingestion.log', CHECKPOINT, '.eventcore/replica_id', 'index', 'checkpoints'])
    assert.equal(fs.existsSync(path.join(target.root, name)), false, name);
  assert.equal(Object.keys(target.files()).length, 1);
});

async function rows(store: EventStore) {
  return (await readAll(store)).map(({ time: _, timeText: __, ...event }) => event);
}

test('a backup of a SQLite store goes into a folder and back, and appends go on in both', async (t) => {
  const { store: sqlite } = temporaryStore(t);
  await sqlite.initialise();
  for (let i = 0; i < 12; i += 1)
    await sqlite.append([
      {
        streamId: `s-${i % 3}`,
        events: [
          { type: 'A', data: `{"n": ${i}}` },
          { type: 'B', data: '{"a":\n [1]}' },
        ],
      },
      { streamId: 'all', events: [{ type: 'C', data: '1.50' }] },
    ]);
  const vault = memoryVault();
  await backUp(sqlite, vault);
  const folder = temporaryFolder(t);
  await restoreNewest(vault, folder.store);
  const compact = (await rows(sqlite)).map((event) => ({
    ...event,
    data: String(event.data).replaceAll('\n ', ''),
  }));
  assert.deepEqual(await rows(folder.store), compact);
  assert.deepEqual(
    (await readAll(folder.store)).map(({ time }) => time),
    (await readAll(sqlite)).map(({ time }) => time),
  );
  const again = memoryVault();
  await backUp(folder.store, again);
  const { store: back } = temporaryStore(t);
  await restoreNewest(again, back);
  assert.deepEqual(await rows(back), compact);
  for (const store of [folder.store, back])
    await store.append([{ streamId: 'all', expectedVersion: 12n, events: [{ type: 'C', data: '1' }] }]);
});

test('what does not belong together is found out before anything is published', async (t) => {
  const source = temporaryFolder(t);
  const { tips } = writeHistory(source);
  const snapshot = await source.store.openSnapshot();
  const companions = (await readCompanions(source.store)).filter(({ role }) => role === 'ledger');
  const [range] = await snapshot.planRanges(1);
  const spoil = (from: string, to: string) =>
    companions.map((row) => {
      const values = Object.fromEntries(
        Object.entries(row.values).map(([key, value]) => [key, value?.replace(from, to) ?? null]),
      );
      return { ...row, values };
    });
  const [, second] = companions;
  const cases = [
    ['an event is in no transaction', companions.slice(1), /belong together/],
    ['a payload is another one', spoil(`"z": 1.0`, '"z": 1.1'), /not what it was/],
    ['a version that its writer gave is gone', spoil(':3', ':4'), /not what it was/],
    ['another order', spoil('2026-11-22T00:00:00', '2026-11-24T00:00:00'), /would get version/],
    [
      'a transaction is there twice',
      [...companions, { ...second!, values: { ...second!.values, file: 'x.jsonl' } }],
      /belong together/,
    ],
    ['a name leads out of the folder', spoil(`${tips[0]}.jsonl`, '../x.jsonl'), /no name/],
  ] as const;
  for (const [name, given, message] of cases) {
    const target = temporaryFolder(t);
    const session = await target.store.openRestore({ attemptId: testId(), replace: false });
    const writer = await session.openWriter();
    for await (const batch of snapshot.readRange(range!, { batchBytes: 1 << 20 })) await writer.write(batch);
    await writer.end();
    for (const row of given) assert.equal(await session.writeCompanion(row), true, name);
    await assert.rejects(session.finishLoad(), { code: 'damaged', message }, name);
    await session.discard();
    assert.equal(fs.existsSync(target.root), false, name);
  }
});

test('incremental backups are exact, and give back the folder as it was at the last of them', async (t) => {
  const source = temporaryFolder(t);
  const vault = memoryVault();
  let tip = source.write({ events: ['a@1', 'b@1'] });
  await backUp(source.store, vault);
  for (let i = 2; i < 5; i += 1) {
    tip = source.write({ parents: [tip], events: [`a@${i}`, `c-${i}@1`] });
    await source.store.append([{ streamId: 'b', events: [{ type: 'T', data: '{}' }] }]);
    tip = Object.keys(source.files())
      .map((name) => name.slice(0, 36))
      .sort()
      .at(-1)!;
    const outcome = await takeIncremental(source.store, vault);
    assert.ok(outcome.kind === 'taken', JSON.stringify(outcome));
    const { chain, totalEvents } = outcome.report.manifest;
    assert.deepEqual([totalEvents, chain?.method, outcome.report.headsReason], [3, 'transactions', null]);
    assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(source.store));
  }
  const target = temporaryFolder(t);
  await restoreNewest(vault, target.store);
  assert.deepEqual(target.files(), source.files());
});

test('a merge that moves versions leads to a full backup, and events that are gone to none', async (t) => {
  const source = temporaryFolder(t);
  const vault = memoryVault();
  const first = source.write({ events: ['a@1'], at: '2026-11-23T04:05:00+00:00' });
  const second = source.write({ parents: [first], events: ['a@2'], at: '2026-11-23T04:05:02+00:00' });
  await backUp(source.store, vault);
  const late = source.write({
    parents: [first],
    events: ['z@1'],
    at: '2026-11-23T04:05:01+00:00',
    replica: testId(),
  });
  const merged = await takeIncremental(source.store, vault);
  assert.ok(merged.kind === 'full-needed', JSON.stringify(merged));
  assert.match(merged.reason, /came in between .*merge/);
  fs.rmSync(path.join(source.root, 'events', `${late}.jsonl`));
  fs.rmSync(path.join(source.root, 'events', `${second}.jsonl`));
  const lost = await takeIncremental(source.store, vault);
  assert.ok(lost.kind === 'differs', JSON.stringify(lost));
  assert.equal(lost.differences.events.lost, 1);
});
