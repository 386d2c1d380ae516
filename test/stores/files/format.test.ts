import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { isBackupError } from '../../../src/core/errors.ts';
import { readAll } from '../../../src/testing/event-store/restoring.ts';
import { type Folder, folderAt, REPLICA, temporaryFolder, testId, transactionText } from './folder.ts';

async function versions({ store }: Pick<Folder, 'store'>): Promise<string[]> {
  return (await readAll(store)).map(({ streamId, version, data }) => `${streamId} ${version} ${data}`);
}

test('what EventCore writes is read, in its order and with the versions that follow from it', async (t) => {
  const folder = temporaryFolder(t);
  const first = folder.write({ events: ['a@1', 'b@1', 'a@2'] });
  const left = folder.write({ parents: [first], events: ['a@3'], at: '2026-11-23T04:05:08.000000001+00:00' });
  const right = folder.write({
    parents: [first],
    events: ['a@3', 'b@2'],
    at: '2026-11-23T04:05:07.9+00:00',
    replica: testId(),
  });
  const merge = folder.write({ parents: [left, right], events: ['a@5'] });
  const of = (id: string, i: number): string => JSON.stringify({ of: id, i });
  assert.deepEqual(await versions(folder), [
    ...[`a 1 ${of(first, 0)}`, `a 2 ${of(first, 2)}`, `a 3 ${of(right, 0)}`, `a 4 ${of(left, 0)}`],
    ...[`a 5 ${of(merge, 0)}`, `b 1 ${of(first, 1)}`, `b 2 ${of(right, 1)}`],
  ]);
  const [event] = await folder.store.readStream('a', { fromVersion: 3n });
  assert.equal(event?.recordedAt, '2026-11-23T04:05:07.900000Z');
});

test('a value comes as the text it is in the file, whatever the order of the keys and the spaces between them', async (t) => {
  const folder = temporaryFolder(t);
  const id = testId();
  const payload = `\r\n { "metadata" : {"k": [1, "]}"]}, "event_data" : 1.50e1 , "event_type":"T\\u00e9\\n", "stream_version":7, "stream_id":"s\\"\\\\", "event_id":"${id.toUpperCase()}","record":"event", "more": [{}] }\n\n`;
  folder.write({ events: [], payload });
  const [event] = await readAll(folder.store);
  assert.deepEqual(
    [event?.id, event?.streamId, event?.version, event?.type, event?.data, event?.metadata],
    [id, 's"\\', 1, 'Té\n', '1.50e1', '{"k": [1, "]}"]}'],
  );
});

test('a file of format 1 has no hash and is taken as it is', async (t) => {
  const folder = temporaryFolder(t);
  folder.write({ version: 1, events: ['a'] });
  assert.equal((await versions(folder)).length, 1);
});

/** Damages with which EventCore opens the store all the same, and how many of three events it reads. */
const FAULTS: readonly (readonly [
  string,
  RegExp,
  number,
  (folder: Folder, ids: readonly string[]) => void,
])[] = [
  [
    'a changed payload',
    /content hash/,
    2,
    ({ root }, [, , last]) => {
      const file = path.join(root, 'events', `${last}.jsonl`);
      fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"Tested"', '"Edited"'));
    },
  ],
  [
    'a missing parent',
    /which is not there/,
    2,
    ({ root }, [, middle]) => {
      fs.rmSync(path.join(root, 'events', `${middle}.jsonl`));
    },
  ],
  [
    'another name',
    /holds transaction/,
    3,
    ({ root }, [first]) => {
      fs.renameSync(path.join(root, 'events', `${first}.jsonl`), path.join(root, 'events', 'other.jsonl'));
    },
  ],
  [
    'an event that is there twice',
    /once more/,
    4,
    (folder, [first, , last]) => {
      const payload = folder.files()[`${first}.jsonl`]!.split('\n').slice(1).join('\n');
      folder.write({ parents: [last!], events: [], payload });
    },
  ],
];

for (const [name, message, readable, damage] of FAULTS) {
  test(`${name} is refused loudly, listed by an examination, and read as EventCore reads it when that is accepted`, async (t) => {
    const folder = temporaryFolder(t);
    const ids: string[] = [];
    for (let i = 1; i <= 3; i += 1) ids.push(folder.write({ parents: ids.slice(-1), events: [`a@${i}`] }));
    damage(folder, ids);
    await assert.rejects(folder.store.openSnapshot(), { code: 'damaged', message });
    await assert.rejects(folder.store.append([{ streamId: 'a', events: [] }]), { code: 'damaged' });
    const { backupObstacles } = await folder.store.examine();
    assert.match(backupObstacles[0]!.message, message);
    const accepting = folderAt(folder.root, '?damaged=accept&fsync=none');
    assert.equal((await versions(accepting)).length, readable);
  });
}

/** With these EventCore cannot open the store, or reads what chance decides. */
const UNREADABLE: readonly (readonly [string, RegExp, string | Uint8Array | ((id: string) => string)])[] = [
  ['nothing at all', /no header line/, ''],
  ['a header without an end', /no header line/, '{"record":"header"}'],
  ['no header', /no header of a transaction/, '{"record":"event"}\n'],
  ['no JSON', /no JSON/, '{"record":\n'],
  ['no UTF-8', /no UTF-8/, Buffer.from([0xff, 0x0a])],
  [
    'a line that is no event',
    /no event/,
    (id) => transactionText({ id, events: [], payload: '{"record":"header"}\n' }),
  ],
  [
    'a key that is there twice',
    /no event/,
    (id) => {
      const text = transactionText({ id, version: 1, events: ['a'] });
      return text.replace('"stream_id"', '"event_type":"X","stream_id"');
    },
  ],
  [
    'a format of the future',
    /format version 3/,
    (id) => transactionText({ id, events: ['a'] }).replace('"format_version":2', '"format_version":3'),
  ],
];

for (const [name, message, text] of UNREADABLE) {
  test(`a file with ${name} is refused, also where damage is accepted`, async (t) => {
    const folder = temporaryFolder(t, '?damaged=accept&fsync=none');
    folder.write({ events: ['a'] });
    const id = testId();
    folder.put(`${id}.jsonl`, typeof text === 'function' ? text(id) : text);
    await assert.rejects(folder.store.openSnapshot(), (error) => {
      assert.ok(isBackupError(error, 'damaged', 'store_unsupported'), String(error));
      assert.match(error.message, message);
      return true;
    });
  });
}

test('a file that changes between two looks of one backup is found out', async (t) => {
  const folder = temporaryFolder(t);
  const id = folder.write({ events: ['a'] });
  const snapshot = await folder.store.openSnapshot();
  folder.put(`${id}.jsonl`, transactionText({ id, events: ['b'] }));
  const [range] = await snapshot.planRanges(1);
  await assert.rejects(
    async () => {
      for await (const _ of snapshot.readRange(range!, { batchBytes: 1000 }));
    },
    { code: 'damaged', message: /was changed while it was read/ },
  );
});

test('an append is written as EventCore writes one', async (t) => {
  const folder = temporaryFolder(t);
  const tips = [folder.write({ events: ['a@1'] }), folder.write({ events: ['b@1'], replica: testId() })];
  const known = new Set(Object.keys(folder.files()));
  const events = [{ id: testId(), type: 'T', data: '{"x":\n1}' }];
  await folder.store.append([
    { streamId: 'b', events },
    { streamId: '10', events: [{ type: 'T', data: '2' }] },
    { streamId: '9', events: [] },
  ]);
  const [[name, text]] = Object.entries(folder.files()).filter(([file]) => !known.has(file)) as [
    [string, string],
  ];
  const [header, first] = text.split('\n').map((line) => (line === '' ? null : JSON.parse(line)));
  assert.deepEqual(Object.keys(header), [
    'record',
    'format_version',
    'transaction_id',
    'replica_id',
    'parent_transaction_ids',
    'created_at',
    'stream_bases',
    'content_hash',
  ]);
  assert.deepEqual(
    [name, header.parent_transaction_ids, header.stream_bases],
    [`${header.transaction_id}.jsonl`, tips, { 10: 0, 9: 0, b: 1 }],
  );
  assert.match(text, /"stream_bases":\{"10":0,"9":0,"b":1\}/);
  assert.match(
    text.split('\n')[1]!,
    /^\{"record":"event","event_id":"[^"]+","stream_id":"b","stream_version":2,"event_type":"T","event_data":\{"x":1\},"metadata":\{\}\}$/,
  );
  assert.equal(first.stream_version, 2);
  assert.notEqual(header.replica_id, REPLICA);
  assert.deepEqual(fs.readdirSync(path.join(folder.root, 'tmp')), []);
  assert.equal(fs.existsSync(path.join(folder.root, '.eventcore', 'replica_id')), false);
});
