import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackupError, isBackupError } from '../../src/core/errors.ts';
import type { StoreCursor } from '../../src/core/event-store.ts';
import { formatTime, timeFromUnixMs } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { writeGap } from '../../src/format/log-gap.ts';
import { logFileName, logFolder } from '../../src/format/log-name.ts';
import { planRecovery } from '../../src/recovery/plan-recovery.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import {
  backUpModel,
  idsOf,
  type LogCut,
  MODEL_SOURCE,
  type ModelTransaction,
  recover,
  writeModelLog,
} from '../harness/log-model.ts';
import { fill, overwrite, readObject, testClock } from '../harness/memory-backup.ts';

const SECOND = 1_000_000n;

function idOf(number: number): string {
  return `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`;
}

/** An event of `stream` whose id says its stream and version. */
function event(stream: number, version: number) {
  return { id: idOf(stream * 1000 + version), streamId: `s-${stream}`, version };
}

/** A base that saw nothing of what these tests log, taken at LSN 0/64; commits follow from 0/C8 on, one a second. */
async function makeBase(vault: Vault, cursor: Partial<StoreCursor> = {}): Promise<bigint> {
  await backUpModel(vault, [event(1, 1), event(1, 2), event(2, 1)], {
    ...{ snapshot: '100:100:', lsn: '0/64', role: 'primary' },
    ...cursor,
  });
  return timeFromUnixMs(Date.now());
}

function transaction(
  number: number,
  begin: bigint,
  events: ModelTransaction['events'],
  removes: ModelTransaction['removes'] = [],
): ModelTransaction {
  const commit = 200n + BigInt(number) * 10n;
  return { xid: 100n + BigInt(number), commit, time: begin + BigInt(number) * SECOND, events, removes };
}

const BEGIN: LogCut = { transactions: 0, to: 60n, horizon: { position: 50n, xid: 100n }, endsFile: true };

async function write(vault: Vault, log: readonly ModelTransaction[], source = MODEL_SOURCE): Promise<void> {
  const asOf = log.at(-1)!.time + 10n * SECOND;
  const cuts = [
    BEGIN,
    { transactions: 1, endsFile: true },
    { transactions: log.length, to: 1000n, asOf, endsFile: true },
  ];
  await writeModelLog(vault, log, cuts, { from: 50n, source });
}

const ids = (...events: readonly { readonly id: string }[]): string[] => events.map(({ id }) => id).sort();

describe('a version that neither base nor log holds', () => {
  it('is counted in the report, and does not stop the recovery', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    await write(vault, [
      transaction(1, begin, [event(1, 3), event(1, 6)]),
      transaction(2, begin, [event(7, 2)]),
    ]);
    const { report } = await recover(vault, { kind: 'latest' });
    assert.equal(report.recovery!.versionsSkipped, 2 + 1);
    assert.equal(report.eventsRestored, 6);
  });
});

describe('what was removed before the point', () => {
  const base = [event(1, 1), event(1, 2), event(2, 1)];
  const [first, second, third] = [event(3, 1), event(3, 2), event(4, 1)];

  it('is not restored, neither from the base nor from the log, and is before that', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    await write(vault, [
      transaction(1, begin, [first, second]),
      transaction(2, begin, [third], [event(1, 2).id, second.id]),
    ]);
    const before = await recover(vault, { kind: 'time', time: begin + SECOND });
    assert.deepEqual(before.ids, ids(...base, first, second));
    const { ids: left, report } = await recover(vault, { kind: 'latest' });
    assert.deepEqual(left, ids(event(1, 1), event(2, 1), first, third));
    assert.equal(report.eventsRestored, 4);
    assert.equal(report.recovery!.eventsReplayed, 2);
  });

  it('and written anew is restored as it was written last', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    const changed = { ...event(1, 2), data: '{"changed":true}' };
    await write(vault, [transaction(1, begin, [first]), transaction(2, begin, [changed], [changed.id])]);
    const { store, ids: left } = await recover(vault, { kind: 'latest' });
    assert.deepEqual(left, ids(...base, first));
    const [, second] = await store.readStream('s-1');
    assert.equal(second!.data, '{"changed":true}');
  });

  it('all at once leaves what was written after that', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    await write(vault, [
      transaction(1, begin, [first]),
      transaction(2, begin, [event(1, 1), third], [first.id, null]),
    ]);
    const { ids: left } = await recover(vault, { kind: 'latest' });
    assert.deepEqual(left, ids(event(1, 1), third));
  });
});

describe('a point that cannot be reached', () => {
  async function refusal(vault: Vault, target: Parameters<typeof recover>[1]): Promise<BackupError> {
    const store = memoryStore();
    const error = await recover(vault, target, store).then(
      () => assert.fail('it was reached'),
      (cause: unknown) => cause,
    );
    assert.ok(error instanceof BackupError, String(error));
    assert.equal((await store.inspect()).state, 'missing', 'the target is as it was');
    return error;
  }

  it('names the points before and after it', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    await write(vault, [transaction(1, begin, [event(3, 1)])]);
    const end = formatTime(begin + 11n * SECOND);
    const late = await refusal(vault, { kind: 'time', time: begin + 99n * SECOND });
    assert.equal(late.code, 'no_restore_point');
    assert.deepEqual(late.facts, { nearestBefore: end, nearestAfter: null });
    const early = await refusal(vault, { kind: 'time', time: begin - 99n * SECOND });
    assert.equal(early.code, 'no_restore_point');
    assert.equal(early.facts.nearestBefore, null);
    assert.match(String(early.facts.nearestAfter), /^\d{4}-/);
    const behind = await refusal(vault, { kind: 'position', position: 2000n });
    assert.deepEqual(behind.facts, { nearestBefore: '0/3E7', nearestAfter: null });
    const before = await refusal(vault, { kind: 'position', position: 10n });
    assert.deepEqual(before.facts, { nearestBefore: null, nearestAfter: '0/64' });
  });

  it('behind a gap says where the gap is, why, and how far it could go', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    await write(vault, [transaction(1, begin, [event(3, 1)])]);
    const noticedAt = '2026-11-24T00:00:00.000Z';
    const marker = { from: 1000n, to: 1200n, reason: 'slot_lost', message: 'the slot was lost', noticedAt };
    await writeGap(vault, logFolder(MODEL_SOURCE), marker);
    const later = transaction(150, begin, [event(5, 1)]);
    const cut: LogCut = { transactions: 1, asOf: later.time, endsFile: true };
    await writeModelLog(vault, [later], [cut], { from: 1200n });
    for (const target of [
      { kind: 'time', time: begin + 100n * SECOND },
      { kind: 'position', position: later.commit },
      { kind: 'before-event', eventId: event(5, 1).id },
    ] as const) {
      const error = await refusal(vault, target);
      assert.equal(error.code, 'log_gap', target.kind);
      assert.match(error.message, /gap from 0\/3E8 to 0\/4B0 \(the slot was lost\)/);
      const reachableTime = formatTime(begin + 11n * SECOND);
      assert.deepEqual(
        { ...error.facts, gapReason: null, gapFrom: null, gapTo: null },
        {
          ...{ reachableTime, reachableLsn: '0/3E7', gapReason: null, gapFrom: null, gapTo: null },
        },
      );
    }
    const upTo = await recover(vault, { kind: 'position', position: 999n });
    assert.equal(upTo.ids.length, 4, 'as far as it says it can go');
  });

  it('is one whose event or transaction no log holds', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    await write(vault, [transaction(1, begin, [event(3, 1)])]);
    for (const target of [
      { kind: 'before-event', eventId: event(1, 1).id },
      { kind: 'to-transaction', xid: 77n },
    ] as const) {
      assert.match((await refusal(vault, target)).message, /is in no log of the vault/);
    }
  });

  it('is one whose log begins after a transaction that the backup found open', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault, { snapshot: '99:100:99' });
    await write(vault, [transaction(1, begin, [event(3, 1)])]);
    const error = await refusal(vault, { kind: 'time', time: begin + SECOND });
    assert.equal(error.code, 'no_restore_point');
    assert.match(error.message, /cannot be carried on: the log begins after the oldest transaction/);
    const newest = await recover(vault, { kind: 'latest' });
    assert.equal(newest.plan.log, null, 'the backup alone is the newest point');
  });

  it('is one behind a damaged block, and the block is named', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    await write(vault, [transaction(1, begin, [event(3, 1)]), transaction(2, begin, [event(3, 2)])]);
    for await (const { name } of vault.list('log/')) {
      const bytes = await readObject(vault, name);
      const flipped = Buffer.from(bytes);
      flipped[bytes.length >> 1]! ^= 4;
      await overwrite(vault, name, flipped);
      const error = await refusal(vault, { kind: 'latest' });
      assert.equal(error.code, 'damaged', name);
      assert.match(error.message, new RegExp(`block 0 of ${name}`));
      await overwrite(vault, name, bytes);
    }
    assert.equal((await recover(vault, { kind: 'latest' })).ids.length, 5);
  });
});

describe('a backup alone', () => {
  it('is the point when it is asked for by its time or position, and when nothing committed after it', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    const { plan } = await recover(vault, { kind: 'latest' });
    const { createdAt } = plan.chain[0]!.manifest;
    assert.match(plan.reasons.join(), /is the newest point/);
    const time = timeFromUnixMs(Date.parse(createdAt));
    for (const target of [{ kind: 'time', time } as const, { kind: 'position', position: 100n } as const]) {
      const { ids: restored, plan: chosen } = await recover(vault, target);
      assert.equal(restored.length, 3);
      assert.match(chosen.reasons.join(), /taken at that very point/);
    }
    await write(vault, [transaction(1, begin, [event(3, 1)])]);
    const between = await recover(vault, { kind: 'time', time: begin + SECOND / 2n });
    assert.equal(between.ids.length, 3);
    assert.equal(between.report.recovery!.transactions, 0);
    assert.equal(between.plan.reached.time, createdAt);
  });
});

describe('a base that numbers no transactions', () => {
  const source = { ...MODEL_SOURCE, kind: 'sqlite', systemIdentifier: 'file' } as const;
  const cursor: StoreCursor = { kind: 'sqlite', maxRowid: '209' };

  it('takes from the log what its streams do not have, of a transaction that it holds in part too', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault, cursor);
    // One poll put together rows 208 to 210 and gave them the position of the last; the base saw the first two.
    await write(
      vault,
      [transaction(1, begin, [event(1, 2), event(2, 1), event(2, 2)]), transaction(2, begin, [event(9, 1)])],
      source,
    );
    const { ids: restored, report } = await recover(vault, { kind: 'latest' });
    assert.deepEqual(restored, ids(event(1, 1), event(1, 2), event(2, 1), event(2, 2), event(9, 1)));
    assert.equal(report.recovery!.eventsReplayed, 2);
  });

  it('refuses the log of another store', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault, cursor);
    const foreign = { ...event(1, 2), id: idOf(777) };
    await write(vault, [transaction(1, begin, [foreign]), transaction(2, begin, [event(9, 1)])], source);
    const store = memoryStore();
    await assert.rejects(recover(vault, { kind: 'latest' }, store), (error) =>
      isBackupError(error, 'store_diverged'),
    );
    assert.equal((await store.inspect()).state, 'missing');
  });

  it('on a standby goes by its position, and by its streams where that is not sharp', async () => {
    const vault = memoryVault();
    // It had replayed up to 0/D5, and its view was taken when 0/D2 had committed but was not visible.
    const begin = await makeBase(vault, { role: 'standby', lsn: '0/DD', snapshot: '100:102:' });
    await write(vault, [
      transaction(1, begin, [event(1, 2)]),
      transaction(2, begin, [event(3, 1)]),
      transaction(3, begin, [event(3, 2)]),
    ]);
    const { ids: restored } = await recover(vault, { kind: 'latest' });
    assert.deepEqual(restored, ids(event(1, 1), event(1, 2), event(2, 1), event(3, 1), event(3, 2)));
  });
});

describe('the epoch record', () => {
  it('names what the log holds behind the point, in order, and what was restored', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    const lost = [event(3, 2), event(3, 3), event(4, 1)];
    await write(vault, [
      transaction(1, begin, [event(3, 1)]),
      transaction(2, begin, lost.slice(0, 2)),
      transaction(3, begin, lost.slice(2)),
    ]);
    const { report, plan } = await recover(vault, { kind: 'to-transaction', xid: 101n });
    const { record, vanished } = report.recovery!.epochRecord;
    assert.equal(record, `epochs/epoch-${report.epoch}.json`);
    assert.equal(vanished!.events, 3);
    const { checksum, ...written } = JSON.parse((await readObject(vault, record)).toString());
    assert.match(checksum, /^[0-9a-f]{64}$/);
    assert.deepEqual(written, {
      epochVersion: 1,
      epoch: report.epoch,
      recoveredAt: report.recoveryTime,
      store: 'memory:',
      chain: plan.chain.map(({ manifest }) => manifest.backupId),
      target: 'transaction 101',
      reachedTime: formatTime(begin + SECOND),
      reachedLsn: '0/D2',
      cutLsn: '0/DC',
      vanished: { events: 3, firstId: lost[0]!.id, lastId: lost[2]!.id, ids: lost.map(({ id }) => id) },
    });
  });

  it('that cannot be written leaves the recovery as it is, and is named in the report', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    await write(vault, [transaction(1, begin, [event(3, 1)])]);
    const readOnly: Vault = {
      ...vault,
      createObject: async () => {
        throw new BackupError('vault_refused', 'the vault is mounted read-only');
      },
    };
    const { report, ids: restored } = await recover(readOnly, { kind: 'time', time: begin + SECOND });
    assert.equal(restored.length, 4);
    assert.deepEqual(report.recovery!.epochRecord, {
      record: null,
      vanished: null,
      problem: 'the vault is mounted read-only',
    });
  });
});

describe('a target that holds events', () => {
  it('stays as it was when the log turns out to be damaged on the way', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    await write(vault, [transaction(1, begin, [event(3, 1)])]);
    const store = memoryStore();
    await fill(store, [event(8, 1)]);
    await assert.rejects(recover(vault, { kind: 'latest' }, store), (error) =>
      isBackupError(error, 'target_not_empty'),
    );
    const [catalog, timelines] = [await readCatalog(vault), await readLogCatalog(vault)];
    const plan = await planRecovery({ vault, catalog, timelines }, { kind: 'latest' });
    // The plan reads headers alone: what is wrong with events shows when they are replayed.
    const { name } = plan.log!.files.find(({ from }) => from === 60n)!;
    const bytes = Buffer.from(await readObject(vault, name));
    bytes[bytes.length - 40]! ^= 1;
    await overwrite(vault, name, bytes);
    const options = { replace: true, checkpoints: 'keep', parallel: 1, recovery: plan } as const;
    await assert.rejects(
      restoreBackup({ target: store, vault, clock: testClock }, plan.chain, options),
      (error) => isBackupError(error, 'damaged') && error.message.includes(`block 0 of ${name}`),
    );
    assert.deepEqual(await idsOf(store), ids(event(8, 1)));
  });
});

describe('a log whose files are joined while it is read', () => {
  /** As an archiver does: the longer file first, then the shorter ones go. */
  async function join(vault: Vault): Promise<void> {
    const [timeline] = await readLogCatalog(vault);
    const { files, from, to } = timeline!.spans[0]!;
    const parts = await Promise.all(files.map(({ name }) => readObject(vault, name)));
    if (files.length === 1) return;
    await overwrite(vault, logFolder(MODEL_SOURCE) + logFileName(from, to), Buffer.concat(parts));
    for (const { name } of files) await vault.removeObject(name);
  }

  it('is read on from the same block, whichever read meets it', async () => {
    const vault = memoryVault();
    const begin = await makeBase(vault);
    const log = [1, 2, 3, 4, 5].map((number) => transaction(number, begin, [event(3, number)]));
    const cuts = log.map((_, i): LogCut => ({ transactions: i + 1, endsFile: i % 2 === 0 }));
    for (let read = 0; ; read += 1) {
      for await (const { name } of vault.list('log/')) await vault.removeObject(name);
      await writeModelLog(vault, log, [BEGIN, ...cuts], { from: 50n });
      const [catalog, timelines] = [await readCatalog(vault), await readLogCatalog(vault)];
      const plan = await planRecovery({ vault, catalog, timelines }, { kind: 'latest' });
      let reads = 0;
      const busy: Vault = {
        ...vault,
        readRange: async (name, offset, length) => {
          if (name.startsWith('log/') && reads++ === read) await join(vault);
          return vault.readRange(name, offset, length);
        },
      };
      const store = memoryStore();
      const options = { replace: false, checkpoints: 'keep', parallel: 1, recovery: plan } as const;
      await restoreBackup({ target: store, vault: busy, clock: testClock }, plan.chain, options);
      assert.equal((await idsOf(store)).length, 3 + 5, `joined at read ${read}`);
      if (read >= reads) break;
      assert.ok(read < 50);
    }
  });
});
