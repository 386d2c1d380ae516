import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { decideOutcome, type MergeReport, mergeStreams } from '../../src/recovery/merge-streams.ts';
import { restoreStreams } from '../../src/recovery/restore-streams.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import type { TestEvent } from '../../src/testing/batches.ts';
import { readAll } from '../../src/testing/event-store/restoring.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { type ChainOfFour, makeChainOfFour } from '../harness/chain.ts';
import { newestChain } from '../harness/chain-backup.ts';
import { backUp, fill, objectNames, overwrite, readObject, testClock } from '../harness/memory-backup.ts';

async function restore(target: EventStore, vault: Vault, streamIds: readonly string[]) {
  const ports = { target, vault, clock: testClock };
  return restoreStreams(ports, { chain: await newestChain(vault), log: null }, { streamIds, replace: false });
}

async function merge(
  target: EventStore,
  vault: Vault,
  streamIds: readonly string[] | null,
  dryRun = false,
): Promise<MergeReport> {
  return mergeStreams(
    { target, vault, clock: testClock },
    { chain: await newestChain(vault), log: null },
    { streamIds, dryRun },
  );
}

async function eventsOf(store: EventStore, ...streamIds: string[]): Promise<Required<TestEvent>[]> {
  return (await readAll(store)).filter(({ streamId }) => streamIds.includes(String(streamId)));
}

/** The vault, and how many bytes were read from it. */
function counting(vault: Vault): { vault: Vault; bytes: () => number } {
  let bytes = 0;
  const readRange: Vault['readRange'] = async (name, offset, length) => {
    bytes += length;
    return vault.readRange(name, offset, length);
  };
  return { vault: { ...vault, readRange }, bytes: () => bytes };
}

describe('restoring single streams out of a chain of four backups', () => {
  let chain: ChainOfFour;

  before(async () => {
    chain = await makeChainOfFour();
  });

  it('brings back these streams and no others, event for event, from whichever backups have them', async () => {
    const { store, vault } = chain;
    const target = memoryStore();
    const report = await restore(target, vault, ['order-2', 'born-in-6', 'order-2']);
    const expected = await eventsOf(store, 'order-2', 'born-in-6');
    assert.deepEqual(await readAll(target), expected);
    assert.deepEqual(
      report.streams.map(({ streamId, action, events }) => [streamId, action, events]),
      [
        ['born-in-6', 'created', 5],
        ['order-2', 'created', expected.length - 5],
      ],
    );
    assert.deepEqual([report.eventsRestored, report.streamsRestored], [expected.length, 2]);
    assert.ok(report.plan.notes.some((note) => note.includes('checkpoints')));
  });

  it('refuses an unknown stream, names its neighbours, and touches nothing', async () => {
    const target = memoryStore();
    await assert.rejects(restore(target, chain.vault, ['order-2', 'order-22']), (error) => {
      assert.ok(isBackupError(error, 'stream_not_found'));
      assert.equal(error.exitCode, 3);
      assert.match(error.hint ?? '', /"order-2"/);
      assert.equal(error.facts.streamId, 'order-22');
      return true;
    });
    assert.equal((await target.inspect()).state, 'missing');
  });

  it('publishes nothing when an event file that it needs is damaged, or has less than the heads say', async () => {
    const { vault } = chain;
    for (const name of (await objectNames(vault)).filter((each) => each.includes('/events-00001.'))) {
      const bytes = await readObject(vault, name);
      if (bytes.length === 0) continue;
      const flipped = Buffer.from(bytes);
      flipped[bytes.length >> 1]! ^= 4;
      await overwrite(vault, name, flipped);
      const target = memoryStore();
      const streams = ['order-0', 'order-1', 'order-2', 'order-3', 'born-in-0', 'born-in-6', 'born-in-11'];
      await assert.rejects(restore(target, vault, streams), (error) => isBackupError(error, 'damaged'), name);
      assert.equal((await target.inspect()).state, 'missing');
      await overwrite(vault, name, bytes);
    }
  });
});

describe('a stream among many', () => {
  it('is found with few bytes, by its bytes too where they are no UTF-8', async () => {
    const store = memoryStore();
    const odd = Buffer.from([0x6f, 0xff, 0xfe]);
    const events: TestEvent[] = Array.from({ length: 6000 }, (_, i) => ({
      id: testClock.uuid(),
      streamId: i === 4000 ? odd : `stream-${Math.floor(i / 30)}`,
      version: i === 4000 ? 1 : (i % 30) + 1,
      data: JSON.stringify(Array.from({ length: 8 }, testClock.uuid)),
    }));
    await fill(store, events);
    const vault = memoryVault();
    const { manifest } = await backUp(store, vault, { chunkBytes: 20_000, parallel: 1 });
    for (const streamId of ['stream-77', `base64:${odd.toString('base64')}`]) {
      const counted = counting(vault);
      const target = memoryStore();
      const report = await restore(target, counted.vault, [streamId]);
      assert.equal(report.streams[0]?.streamId, streamId);
      assert.equal((await target.count()).streams, 1);
      const share = counted.bytes() / manifest.sizeBytes;
      assert.ok(share < 0.1, `${streamId}: ${share.toFixed(3)} of the bytes were read`);
    }
  });
});

describe('merging a backup into a store in use', () => {
  async function prepare(): Promise<{ live: EventStore; vault: Vault; before: Required<TestEvent>[] }> {
    const { store, vault } = await makeChainOfFour();
    return { live: store, vault, before: await readAll(store) };
  }

  it('finds nothing to do in the store that was backed up, and leaves what it has beyond the backup', async () => {
    const { live, vault } = await prepare();
    await live.append([{ streamId: 'order-1', events: [{ type: 'After', data: '{}' }] }]);
    const now = await readAll(live);
    const report = await merge(live, vault, ['order-1']);
    assert.equal(report.streams[0]?.action, 'unchanged');
    assert.equal(report.streams[0]?.aheadAt, (await eventsOf(live, 'order-1')).length);
    assert.equal(report.recoveryTime, null);
    const all = await merge(live, vault, null);
    assert.deepEqual([all.streams, all.eventsRestored], [[], 0]);
    assert.deepEqual(await readAll(live), now);
  });

  it('adds a lost tail, a lost middle and a lost stream, of all streams or of those named', async () => {
    const { live, vault, before } = await prepare();
    const isKept = ({ streamId, version }: Required<TestEvent>): boolean =>
      streamId === 'order-0'
        ? version < 3
        : streamId === 'order-1'
          ? version !== 2
          : streamId !== 'born-in-6';
    const damaged = before.filter(isKept);
    await fill(live, damaged);
    const planned = await merge(live, vault, null, true);
    assert.deepEqual(
      planned.streams.map(({ streamId, action, fromVersion }) => [streamId, action, fromVersion]),
      [
        ['born-in-6', 'created', 1],
        ['order-0', 'extended', 3],
        ['order-1', 'filled', 2],
      ],
    );
    assert.deepEqual(await readAll(live), damaged, 'a dry run changes nothing');
    const one = await merge(live, vault, ['order-0', 'order-2']);
    assert.deepEqual(
      [one.streams.map(({ action }) => action), one.unchangedStreams],
      [['extended', 'unchanged'], 1],
    );
    const rest = await merge(live, vault, null);
    assert.deepEqual(
      [rest.streamsRestored, one.eventsRestored + rest.eventsRestored],
      [2, before.length - damaged.length],
    );
    assert.deepEqual(await readAll(live), before);
  });

  it('is refused as a whole when one stream has another event, and names it', async () => {
    const { live, vault, before } = await prepare();
    const last = before.filter(({ streamId }) => streamId === 'order-3').at(-1)!.version;
    const other = before
      .filter(({ streamId }) => streamId !== 'born-in-0')
      .map((event) =>
        event.streamId === 'order-3' && event.version === last ? { ...event, id: testClock.uuid() } : event,
      );
    await fill(live, other);
    await assert.rejects(merge(live, vault, ['born-in-0', 'order-3']), (error) => {
      assert.ok(isBackupError(error, 'store_diverged'));
      assert.deepEqual(
        [error.exitCode, error.facts.streamId, error.facts.version],
        [4, 'order-3', String(last)],
      );
      return true;
    });
    await assert.rejects(merge(live, vault, null), (error) => isBackupError(error, 'store_diverged'));
    assert.deepEqual(await readAll(live), other);
  });

  it('is refused where there is no store', async () => {
    const { vault } = await prepare();
    await assert.rejects(merge(memoryStore(), vault, null), (error) =>
      isBackupError(error, 'not_an_event_store'),
    );
  });
});

describe('what becomes of a stream', () => {
  const stream = { streamId: 's', written: 9, conflictAt: null };
  it('is told by where its missing events lie', () => {
    const cases = [
      [{ missing: 0, firstMissing: null, lastMissing: null, storeLast: 9 }, 'unchanged', undefined],
      [{ missing: 0, firstMissing: null, lastMissing: null, storeLast: 12 }, 'unchanged', 12],
      [{ missing: 9, firstMissing: 1, lastMissing: 9, storeLast: null }, 'created', undefined],
      [{ missing: 2, firstMissing: 8, lastMissing: 9, storeLast: 7 }, 'extended', undefined],
      [{ missing: 2, firstMissing: 4, lastMissing: 9, storeLast: 8 }, 'filled', undefined],
    ] as const;
    for (const [found, action, aheadAt] of cases) {
      const outcome = decideOutcome({ ...stream, ...found }, 9);
      assert.deepEqual([outcome.action, outcome.aheadAt], [action, aheadAt]);
    }
  });
});
