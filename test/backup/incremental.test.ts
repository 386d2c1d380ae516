import assert from 'node:assert/strict';
import { describe, it, type TestContext, test } from 'node:test';
import { takeIncrementalBackup } from '../../src/backup/incremental.ts';
import { makeDifferences } from '../../src/core/differences.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { CHUNK_FORMATS } from '../../src/core/manifest.ts';
import type { Vault } from '../../src/core/vault.ts';
import { makeKnownEvents } from '../../src/format/known-events.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { makeBatch, type TestEvent } from '../../src/testing/batches.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { newestChain } from '../harness/chain-backup.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { backUp, backupDefaults, fill, objectNames, testClock } from '../harness/memory-backup.ts';
import { digestChain, takeIncremental } from '../harness/proof-run.ts';
import { temporaryStore } from '../stores/sqlite/temporary-store.ts';

function streamOf(streamId: TestEvent['streamId'], ...versions: number[]): TestEvent[] {
  return versions.map((version) => ({
    streamId,
    version,
    id: `00000000-0000-7000-8000-${Buffer.from(String(streamId)).toString('hex').padStart(6, '0').slice(0, 6)}${String(version).padStart(6, '0')}`,
    data: `{"n":${version}}`,
  }));
}

const BYTES = Buffer.from([0xff, 0xfe, 0x41]);

interface Place {
  readonly name: string;
  readonly make: (t: TestContext) => EventStore;
  readonly oddNames: boolean;
}

const PLACES: readonly Place[] = [
  { name: 'memory', make: () => memoryStore(), oddNames: true },
  { name: 'SQLite', make: (t) => temporaryStore(t).store, oddNames: true },
];

async function taken(store: EventStore, vault: Vault) {
  const outcome = await takeIncremental(store, vault);
  assert.ok(outcome.kind === 'taken', JSON.stringify(outcome));
  assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(store));
  return outcome.report.manifest;
}

for (const { name, make, oddNames } of PLACES) {
  describe(`an incremental backup of a store in ${name}`, () => {
    it('holds what came since, in old streams and in new ones, whatever they are called', async (t) => {
      const store = make(t);
      const vault = memoryVault();
      const names = ['a', 'ünï/😀', 'q"\\', '', ...(oddNames ? [BYTES] : [])];
      const first = names.flatMap((stream) => streamOf(stream, 1, 2));
      await fill(store, first);
      await backUp(store, vault);
      const second = [
        ...first,
        ...names.slice(1).flatMap((stream) => streamOf(stream, 3)),
        ...streamOf('new', 1),
      ];
      await fill(store, second);
      const manifest = await taken(store, vault);
      assert.equal(manifest.totalEvents, names.length);
      assert.equal(manifest.totalStreams, names.length);
      assert.deepEqual(
        { ...manifest.chain, parentChecksum: null },
        {
          baseId: (await newestChain(vault))[0]!.manifest.backupId,
          ...{ parentChecksum: null, length: 2, method: 'heads' },
          totalEvents: second.length,
          totalStreams: names.length + 1,
        },
      );
      await fill(store, [...second, ...streamOf('a', 3, 4)]);
      assert.equal((await taken(store, vault)).chain!.totalEvents, second.length + 2);
    });

    it('is empty when nothing came, and may be built on', async (t) => {
      const store = make(t);
      const vault = memoryVault();
      await fill(store, streamOf('a', 1));
      await backUp(store, vault);
      for (let round = 0; round < 3; round += 1) {
        const manifest = await taken(store, vault);
        assert.deepEqual([manifest.totalEvents, manifest.totalStreams, manifest.eventRange], [0, 0, null]);
        assert.deepEqual(
          manifest.files.filter(({ role }) => role === 'events'),
          [],
        );
      }
      assert.equal((await newestChain(vault)).length, 4);
    });

    it('carries along what the store itself lacks', async (t) => {
      const store = make(t);
      const vault = memoryVault();
      const first = [...streamOf('gaps', 1, 2, 5), ...streamOf('late', 3, 4)];
      await fill(store, first);
      await backUp(store, vault);
      await fill(store, [...first, ...streamOf('gaps', 6, 9), ...streamOf('other', 2)]);
      const { oddities } = await taken(store, vault);
      assert.equal(oddities.missingVersions, 4);
      assert.equal(oddities.oddFirstVersions, 2);
    });

    it('finds an event that appeared below the last version, or gives way to a full one', async (t) => {
      const store = make(t);
      const vault = memoryVault();
      await fill(store, streamOf('a', 1, 3));
      await backUp(store, vault);
      await fill(store, streamOf('a', 1, 2, 3));
      const outcome = await takeIncremental(store, vault);
      assert.ok(outcome.kind === 'full-needed');
      assert.match(outcome.reason, /in stream "a" events appeared below the last version/);
      await fill(store, streamOf('a', 1, 2, 3, 4));
      const second = await takeIncremental(store, vault);
      if (second.kind === 'full-needed') assert.match(second.reason, /events appeared below/);
      else assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(store));
    });

    it('names what is lost and what is another event', async (t) => {
      const store = make(t);
      const vault = memoryVault();
      const [b] = streamOf('b', 1);
      await fill(store, [...streamOf('a', 1, 2, 3), b!, ...streamOf('c', 1), ...streamOf('d', 1, 2, 3)]);
      await backUp(store, vault);
      const other = { ...b!, id: '00000000-0000-7000-8000-ffffffffffff' };
      await fill(store, [...streamOf('a', 1), other, ...streamOf('d', 1, 3, 4)]);
      const outcome = await takeIncremental(store, vault);
      assert.ok(outcome.kind === 'differs');
      assert.deepEqual(outcome.differences.events, { lost: 4, changed: 0, diverged: 1 });
      assert.deepEqual(
        outcome.differences.streams
          .map(({ streamId, kind, events }) => `${streamId} ${kind} ${events}`)
          .sort(),
        ['a lost 2', 'b diverged 1', 'c lost 1', 'd lost 1'],
      );
    });
  });
}

test('the backups of a chain may have formats of their own', async () => {
  const store = memoryStore();
  const vault = memoryVault();
  const events = streamOf('a', 1);
  await fill(store, events);
  await backUp(store, vault, { format: 'jsonl', compression: 'gzip' });
  for (const [i, format] of CHUNK_FORMATS.entries()) {
    events.push(...streamOf('a', i + 2));
    await fill(store, events);
    const ports = { store, vault, clock: testClock };
    await takeIncrementalBackup(ports, await newestChain(vault), {
      ...backupDefaults,
      format,
      compression: 'none',
    });
  }
  assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(store));
});

test('a vault that fails at any moment is left without an attempt, and the next backup succeeds', async () => {
  const store = memoryStore();
  const inner = memoryVault();
  await fill(store, streamOf('a', 1));
  await backUp(store, inner);
  await fill(store, streamOf('a', 1, 2));
  const before = await objectNames(inner);
  const chain = await newestChain(inner);
  let failures = 0;
  for (let nth = 1; ; nth += 1) {
    const { vault } = faultyVault(inner, { failAt: nth });
    const attempt = takeIncrementalBackup({ store, vault, clock: testClock }, chain, backupDefaults);
    const outcome = await attempt.catch((error: unknown) => error);
    if (!(outcome instanceof Error)) break;
    failures += 1;
    assert.ok(isBackupError(outcome), String(outcome));
    assert.deepEqual(await objectNames(inner), before);
  }
  assert.ok(failures >= 15, `${failures} failures`);
});

test('a parent that a prune removes at the last moment is noticed, and nothing is left', async () => {
  const store = memoryStore();
  const vault = memoryVault();
  await fill(store, streamOf('a', 1));
  const { folder } = await backUp(store, vault);
  await fill(store, streamOf('a', 1, 2));
  const chain = await newestChain(vault);
  const verify = async (): Promise<never> => {
    await vault.removeObject(`${folder}manifest.json`);
    return { overallValid: true } as never;
  };
  await assert.rejects(
    takeIncrementalBackup({ store, vault, clock: testClock, verify }, chain, backupDefaults),
    (error) => isBackupError(error, 'backup_not_found') && /removed meanwhile/.test(error.message),
  );
  assert.ok((await objectNames(vault)).every((name) => name.startsWith(folder)));
});

test('a store of another kind is backed up in full', async (t) => {
  const vault = memoryVault();
  const store = memoryStore();
  await fill(store, streamOf('a', 1));
  await backUp(store, vault);
  const other = temporaryStore(t).store;
  await fill(other, streamOf('a', 1));
  const outcome = await takeIncremental(other, vault);
  assert.ok(outcome.kind === 'full-needed');
  assert.match(outcome.reason, /kind is memory, not sqlite/);
});

describe('events that the chain has already', () => {
  async function compare(events: readonly TestEvent[], maxNoted: number) {
    const store = memoryStore();
    const vault = memoryVault();
    await fill(store, streamOf('a', 1, 2, 3, 4));
    await backUp(store, vault);
    const differences = makeDifferences();
    const known = makeKnownEvents(vault, await newestChain(vault), differences, { maxNoted });
    const batch = makeBatch(events);
    for (const row of events.keys()) known.take(batch, [row]);
    return { reason: await known.compare(), report: differences.report() };
  }

  it('are compared with it one by one, or in bulk when they are many', async () => {
    for (const maxNoted of [100, 2, 0]) {
      const { reason, report } = await compare(streamOf('a', 1, 2, 4), maxNoted);
      assert.deepEqual([reason, report.streams], [null, []]);
    }
  });

  it('are named when they were changed; in bulk it is only known that some were', async () => {
    const [one, two] = streamOf('a', 1, 2);
    const changed = [one!, { ...two!, data: '{"n": "other"}' }];
    const { report } = await compare(changed, 100);
    assert.deepEqual(report.streams, [{ streamId: 'a', kind: 'changed', events: 1, version: 2 }]);
    const { reason } = await compare(changed, 0);
    assert.match(String(reason), /2 events were written anew, and not all/);
  });
});
