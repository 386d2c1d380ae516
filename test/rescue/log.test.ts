/** The rescue script lays a change log on a backup by FORMAT.md alone: the same events as a recovery of ours. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import type { FeedSource } from '../../src/core/change-feed.ts';
import type { EventStore, StoreCursor } from '../../src/core/event-store.ts';
import { formatTime, timeFromUnixMs } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import { chunkCodec } from '../../src/format/chunk-codec.ts';
import { writeGap } from '../../src/format/log-gap.ts';
import { logFolder } from '../../src/format/log-name.ts';
import type { RecoveryTarget } from '../../src/recovery/target.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { makeFolder } from '../harness/command.ts';
import {
  backUpModel,
  MODEL_SOURCE,
  type ModelTransaction,
  recover,
  writeModelLog,
} from '../harness/log-model.ts';
import { rescue, rescueModule } from './run-rescue.ts';
import { sealLog } from './seal-log.ts';

const SECOND = 1_000_000n;
/** Behind all backups of these tests. */
const BEGIN = timeFromUnixMs(Date.now() + 3_600_000);
const at = (second: bigint): bigint => BEGIN + second * SECOND;

let folder: string;
let remove: () => Promise<void>;
before(async () => {
  ({ path: folder, remove } = await makeFolder());
});
after(() => remove());

function event(stream: number, version: number, data = '{"a": 1}') {
  const id = `00000000-0000-7000-8000-${String(stream * 1000 + version).padStart(12, '0')}`;
  return { id, streamId: `s-${stream}`, version, data };
}

async function linesOf(store: EventStore): Promise<string[]> {
  const snapshot = await store.openSnapshot();
  const lines: string[] = [];
  for (const range of await snapshot.planRanges(1)) {
    for await (const batch of snapshot.readRange(range, { batchBytes: 1 << 20 })) {
      lines.push(...Buffer.from(chunkCodec('jsonl').encode(batch)).toString().split('\n'));
    }
  }
  await snapshot.close();
  return lines.filter((line) => line !== '').sort();
}

async function openVault(name: string): Promise<{ vault: Vault; path: string }> {
  const path = join(folder, name);
  const vault = openDirectoryVault(path);
  await vault.open({ create: true });
  return { vault, path };
}

async function assertRecoversAlike(
  { vault, path }: { vault: Vault; path: string },
  target: RecoveryTarget = { kind: 'latest' },
): Promise<number> {
  const flags = target.kind === 'time' ? ['--until', formatTime(target.time)] : [];
  const ran = await rescue(path, '--with-log', ...flags);
  assert.equal(ran.code, 0, ran.stderr);
  const { store } = await recover(vault, target);
  const lines = ran.stdout.trimEnd().split('\n').sort();
  assert.deepEqual(lines, await linesOf(store));
  return lines.length;
}

/** Commits at 200, 210, …, one a second; the numbers of transactions turn over their 32 bits on the way. */
const FIRST_XID = (7n << 32n) - 3n;
function makeLog(): ModelTransaction[] {
  const writes: Pick<ModelTransaction, 'events' | 'removes'>[] = [
    { events: [event(1, 2), event(2, 1)] },
    { events: [event(3, 1)] },
    { events: [event(1, 3), event(4, 1), event(4, 2)] },
    { events: [event(3, 2, 'no JSON\n')] },
    { events: [event(5, 1)] },
    { events: [event(6, 1)] },
  ];
  return writes.map((write, i) => ({
    ...write,
    ...{ xid: FIRST_XID + BigInt(i), commit: 200n + 10n * BigInt(i), time: at(BigInt(i)) },
  }));
}

const HORIZON = { position: 150n, xid: FIRST_XID };

async function writeLog(vault: Vault, log: readonly ModelTransaction[], source?: FeedSource): Promise<void> {
  const cuts = [
    { transactions: 0, to: 160n, horizon: HORIZON, endsFile: true },
    { transactions: 1, endsFile: false },
    { transactions: 3, endsFile: true },
    { transactions: log.length, to: 1000n, asOf: at(60n), endsFile: true },
  ];
  await writeModelLog(vault, log, cuts, { from: 100n, ...(source && { source }) });
}

/** A base that saw the transactions with these places, taken when the log stood behind the third. */
async function makeMeeting(name: string, seen: readonly number[], cursor: Partial<StoreCursor> = {}) {
  const opened = await openVault(name);
  const log = makeLog();
  const xids = log.map(({ xid }) => xid);
  const running = xids.slice(0, 4).filter((_, i) => !seen.includes(i));
  const snapshot = `${running[0] ?? xids[4]}:${xids[4]}:${running.join(',')}`;
  const events = [event(1, 1), ...seen.flatMap((i) => log[i]!.events)];
  await backUpModel(opened.vault, events, { snapshot, lsn: '0/E1', role: 'primary', ...cursor });
  await writeLog(opened.vault, log);
  return opened;
}

describe('the rescue script and a change log', () => {
  it('adds what the backup’s snapshot did not see, and nothing twice', async () => {
    for (const seen of [[], [0, 1, 2], [0, 2], [1, 3]]) {
      const opened = await makeMeeting(`seen-${seen.join('-')}`, seen);
      assert.equal(await assertRecoversAlike(opened), 10);
    }
  });

  it('asks the heads of a backup of a standby', async () => {
    const cursor = { role: 'standby', snapshot: `${FIRST_XID}:${FIRST_XID + 4n}:` } as const;
    for (const seen of [[0], [0, 1, 2]]) {
      const opened = await makeMeeting(`standby-${seen.length}`, seen, cursor);
      assert.equal(await assertRecoversAlike(opened), 10);
    }
  });

  it('ends where it is told to', async () => {
    const opened = await makeMeeting('until', [0]);
    assert.equal(await assertRecoversAlike(opened, { kind: 'time', time: at(3n) }), 8);
    assert.equal(await assertRecoversAlike(opened, { kind: 'time', time: at(4n) }), 9);
    const early = await makeMeeting('early', [0, 1, 2]);
    const ran = await rescue(early.path, '--with-log', '--until', formatTime(at(1n)));
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    assert.match(ran.stderr, /the backup holds, or may hold, what committed after --until/);
  });

  it('leaves out what was removed, from the backup and from the log', async () => {
    const opened = await openVault('removals');
    const cursor = { snapshot: `${FIRST_XID}:${FIRST_XID}:`, lsn: '0/C0', role: 'primary' } as const;
    await backUpModel(opened.vault, [event(1, 1), event(8, 1), event(8, 2)], cursor);
    const log = makeLog();
    const changed = { ...log[4]!, events: [event(3, 1, '{"changed":true}')], removes: [event(3, 1).id] };
    const removing = { ...log[5]!, removes: [event(8, 2).id, event(2, 1).id] };
    await writeLog(opened.vault, [...log.slice(0, 4), changed, removing]);
    assert.equal(await assertRecoversAlike(opened), 9);
    const emptied = await openVault('emptied');
    await backUpModel(emptied.vault, [event(1, 1), event(8, 1)], cursor);
    await writeLog(emptied.vault, [...log.slice(0, 4), { ...log[4]!, removes: [null] }, log[5]!]);
    assert.equal(await assertRecoversAlike(emptied), 2);
  });

  it('of rows goes on behind the backup’s last one', async () => {
    const opened = await openVault('rows');
    const source: FeedSource = {
      ...{ kind: 'sqlite', systemIdentifier: 'a-file', timeline: 1, database: 'a.db', relation: 'events' },
    };
    const rows = [1, 2, 3, 4, 5].map((row) => event(1, row));
    // A poll put rows 2 and 3 together, of which the backup had seen the second row.
    await backUpModel(opened.vault, rows.slice(0, 2), { kind: 'sqlite', maxRowid: '2' } as never);
    const log = [
      { xid: 0n, commit: 1n, time: at(-9999n), events: rows.slice(0, 1) },
      { xid: 0n, commit: 3n, time: at(1n), events: rows.slice(1, 3) },
      { xid: 0n, commit: 5n, time: at(2n), events: rows.slice(3) },
    ];
    const cuts = [
      { transactions: 1, endsFile: true },
      { transactions: 3, asOf: at(9n), endsFile: true },
    ];
    await writeModelLog(opened.vault, log, cuts, { from: 1n, source });
    assert.equal(await assertRecoversAlike(opened), 5);
  });

  it('goes no further than a gap, and says up to where it went', async () => {
    const opened = await makeMeeting('gap', [0, 1, 2]);
    const marker = {
      from: 1000n,
      to: 2000n,
      reason: 'lost',
      message: 'lost',
      noticedAt: '2026-11-24T00:00:00Z',
    };
    await writeGap(opened.vault, logFolder(MODEL_SOURCE), marker);
    const late = [{ xid: FIRST_XID + 9n, commit: 2000n, time: at(30n), events: [event(9, 1)] }];
    await writeModelLog(opened.vault, late, [{ transactions: 1, endsFile: true }], { from: 2000n });
    const ran = await rescue(opened.path, '--with-log');
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stdout.trimEnd().split('\n').length, 10);
    assert.match(ran.stderr, new RegExp(`taken up to the commit at FA, ${formatTime(at(5n))}`));
  });

  it('refuses a damaged log before it writes anything, and with --keep-going takes what is before the damage', async () => {
    const { path } = await makeMeeting('damage', [0]);
    const log = join(path, 'log', '7000-1');
    const last = join(log, (await readdir(log)).toSorted().at(-1)!);
    const bytes = await readFile(last);
    bytes[bytes.length - 10]! ^= 1;
    await writeFile(last, bytes);
    const strict = await rescue(path, '--with-log');
    assert.deepEqual([strict.code, strict.stdout], [1, '']);
    assert.match(strict.stderr, /do not have their digest/);
    const going = await rescue(path, '--with-log', '--keep-going');
    assert.equal(going.code, 1);
    assert.equal(going.stdout.trimEnd().split('\n').length, 7, 'the three transactions of the file before');
    assert.match(going.stderr, /left out the log from its first damage on/);
  });

  it('opens a sealed log with an identity', async () => {
    const opened = await makeMeeting('sealed', [0, 2]);
    const { stdout: expected } = await rescue(opened.path, '--with-log');
    assert.equal(expected.split('\n').length - 1, 10);
    const identity = await generateX25519Identity();
    await writeFile(join(folder, 'identity'), identity);
    await sealLog(join(opened.path, 'log', '7000-1'), await identityToRecipient(identity));
    const shut = await rescue(opened.path, '--with-log');
    assert.deepEqual([shut.code, shut.stdout], [1, '']);
    assert.match(shut.stderr, /is wrapped for age1/);
    const ran = await rescue(opened.path, '--with-log', '--identity', join(folder, 'identity'));
    assert.deepEqual([ran.code, ran.stdout], [0, expected], ran.stderr);
    const other = await makeMeeting('moved', [0, 2]);
    await sealLog(join(other.path, 'log', '7000-1'), await identityToRecipient(identity), 'another-1');
    const moved = await rescue(other.path, '--with-log', '--identity', join(folder, 'identity'));
    assert.deepEqual([moved.code, moved.stdout], [1, '']);
    assert.match(moved.stderr, /is damaged, or not from there/);
  });

  it('reads the golden log, block by block', async () => {
    const { readBlocks, findSpans, readTransactions } = await rescueModule('rescue-log.mjs');
    const path = join(import.meta.dirname, '../vectors/v1/log');
    const expected = JSON.parse(await readFile(join(path, 'expected.json'), 'utf8'));
    const runs = findSpans!(join(path, expected[0].folder)) as { files: { name: string }[] }[];
    assert.deepEqual(
      runs.map(({ files }) => files.map(({ name }) => expected[0].folder + name)),
      expected[0].spans.map(({ files }: { files: string[] }) => files),
    );
    for (const [i, { files }] of runs.entries()) {
      const blocks = readBlocks!(join(path, expected[0].folder), files) as Iterable<object>;
      const transactions: { xid: bigint; commit: bigint }[][] = [];
      for (const block of blocks) transactions.push(readTransactions!(block) as never);
      assert.deepEqual(
        transactions.map((all) => all.map(({ xid, commit }) => [Number(xid), String(commit)])),
        expected[0].spans[i].blocks.map(
          ({ transactions }: { transactions: { xid: number; commit: string }[] }) =>
            transactions.map(({ xid, commit }) => [xid, commit]),
        ),
      );
    }
  });
});
