/** What a log says of the time in which nothing was committed. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ArchiveOptions, archive } from '../../src/capture/archiver.ts';
import { compactLog } from '../../src/capture/compact.ts';
import { BackupError, isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { formatTime, parseTime, timeFromUnixMs } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import type { WriteKeys } from '../../src/format/bundle-seal.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { type LogTimeline, readLogCatalog } from '../../src/format/log-catalog.ts';
import { openLogs } from '../../src/format/log-keys.ts';
import { surveyLogs } from '../../src/recovery/survey.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/store.ts';
import { numbered } from '../../src/testing/event-store/fixture.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { makeFolder } from '../harness/command.ts';
import { recover } from '../harness/log-model.ts';
import { backUp, overwrite, readObject, testClock } from '../harness/memory-backup.ts';
import { keysOf, makePerson, makeRing, makeSigner } from '../harness/test-keys.ts';

const OPTIONS: ArchiveOptions = {
  ...{ format: 'jsonl', compression: 'none', level: null, flushMs: 5, idleMs: 10 },
  ...{ software: 'test', outage: { policy: 'hold' }, once: false },
};

/** Archives while `work` is done, then stops as Ctrl-C does. */
async function archiving(
  store: EventStore,
  vault: Vault,
  work: () => Promise<void>,
  { keys, ...options }: Partial<ArchiveOptions> & { keys?: WriteKeys } = {},
): Promise<void> {
  const stop = new AbortController();
  const ports = { store, vault, clock: testClock, ...(keys === undefined ? {} : { keys }) };
  const running = archive(ports, { ...OPTIONS, ...options, signal: stop.signal });
  const ended = assert.rejects(running, (error) => isBackupError(error, 'interrupted'));
  try {
    await Promise.race([work(), running]);
  } finally {
    stop.abort();
    await ended;
  }
}

async function timelineOf(vault: Vault): Promise<LogTimeline> {
  const [timeline, ...others] = await readLogCatalog(vault);
  assert.ok(timeline !== undefined && others.length === 0);
  assert.deepEqual(timeline.problems, []);
  return timeline;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries += 1) {
    assert.ok(tries < 1000, 'it never came about');
    await sleep(5);
  }
}

const now = (): bigint => timeFromUnixMs(Date.now());

async function withSqlite(work: (store: EventStore, address: string) => Promise<void>): Promise<void> {
  const folder = await makeFolder();
  const address = `sqlite:${join(folder.path, 'events.db')}`;
  const store = openSqliteStore(address);
  try {
    await store.initialise();
    await work(store, address);
  } finally {
    await store.close();
    await folder.remove();
  }
}

/** The log has a mark of a time that is not before this. */
async function untilQuiet(vault: Vault, time: bigint): Promise<void> {
  await until(async () => (await readLogCatalog(vault))[0]?.quiet.some(({ asOf }) => asOf > time) ?? false);
}

describe('the log of a store in which nothing happens', () => {
  it('reaches to the last look at it, and any instant up to there comes back', async () => {
    await withSqlite(async (store) => {
      const vault = memoryVault();
      await store.append([{ streamId: 'before', events: numbered(1) }]);
      let quietAt = 0n;
      await archiving(store, vault, async () => {
        await until(async () => (await readLogCatalog(vault)).length > 0);
        await backUp(store, vault);
        await store.append([{ streamId: 'a', events: numbered(3) }]);
        await until(async () => (await timelineOf(vault)).spans[0]!.to === 5n);
        await sleep(30);
        quietAt = now();
        await untilQuiet(vault, quietAt);
      });
      const { windows } = await surveyLogs(vault, await readCatalog(vault), await readLogCatalog(vault));
      assert.equal(windows.length, 1);
      assert.ok(
        parseTime(windows[0]!.to)! > quietAt,
        `${windows[0]!.to} is not behind ${formatTime(quietAt)}`,
      );
      const { ids } = await recover(vault, { kind: 'time', time: quietAt });
      assert.equal(ids.length, 4);
      // Nobody looked from then on.
      await assert.rejects(recover(vault, { kind: 'time', time: now() + 1_000_000n }), (error) =>
        isBackupError(error, 'no_restore_point'),
      );
      // It goes on where it was, and each catch-up says until when.
      await store.append([{ streamId: 'a', events: numbered(2) }]);
      await archive({ store, vault, clock: testClock }, { ...OPTIONS, once: true });
      const later = now();
      await sleep(5);
      await archive({ store, vault, clock: testClock }, { ...OPTIONS, once: true });
      assert.equal((await timelineOf(vault)).spans.length, 1);
      assert.equal((await recover(vault, { kind: 'time', time: later })).ids.length, 6);
    });
  });

  it('says nothing that is not so: what was committed before a mark’s time is in the log before its place', async () => {
    await withSqlite(async (store, address) => {
      const vault = memoryVault();
      const writer = openSqliteStore(address);
      /** When the append of each row had returned, at the latest. */
      const doneAt: bigint[] = [];
      await archiving(
        store,
        vault,
        async () => {
          await until(async () => (await readLogCatalog(vault)).length > 0);
          for (let i = 0; i < 120; i += 1) {
            await writer.append([{ streamId: `s${i % 7}`, events: numbered(1) }]);
            doneAt.push(now() + 999n);
            await sleep(Math.random() * 25);
          }
          await untilQuiet(vault, now());
        },
        { flushMs: 2, idleMs: 2 },
      );
      await writer.close();
      const { quiet, spans } = await timelineOf(vault);
      assert.equal(spans[0]!.to, 121n);
      assert.ok(new Set(quiet.map(({ at }) => at)).size > 20, 'many of them are between commits');
      for (const { at, asOf } of quiet) {
        const done = doneAt.filter((time) => time < asOf).length;
        assert.ok(
          BigInt(done) < at,
          `${done} rows were there at ${formatTime(asOf)}, the mark stands at ${at}`,
        );
      }
    });
  });

  it('keeps few marks: those that a newer one or what came later makes needless are removed in time', async () => {
    const store = memoryStore();
    await store.initialise();
    const vault = memoryVault();
    await archiving(store, vault, async () => {
      await untilQuiet(vault, now());
      await store.append([{ streamId: 'a', events: numbered(1) }]);
      await until(async () => (await timelineOf(vault)).quiet.filter(({ at }) => at === 2n).length > 2);
    });
    const before = await timelineOf(vault);
    const policy = { levelsMs: [1000], maxBytes: 1 << 20, keepMs: 5000 };
    await compactLog(vault, before, { nowMs: Date.now(), policy });
    assert.equal(
      (await timelineOf(vault)).quiet.length,
      before.quiet.length,
      'a reader may have listed them',
    );
    const copy = memoryVault();
    for await (const { name } of vault.list('')) await overwrite(copy, name, await readObject(vault, name));
    const { failures } = await compactLog(vault, before, { nowMs: Date.now() + 6000, policy });
    assert.deepEqual(failures, []);
    const after = (await timelineOf(vault)).quiet;
    assert.deepEqual(after, before.quiet.filter(({ at }) => at === 2n).slice(-1));
    // A run that only catches up does so too, an hour later.
    const later = { ...testClock, now: () => Date.now() + 3_600_000 };
    await archive({ store, vault: copy, clock: later }, { ...OPTIONS, once: true });
    assert.deepEqual(
      (await timelineOf(copy)).quiet.map(({ at }) => at),
      [2n],
    );
  });

  it('is sealed and signed as all of it, and reaches as far for who has the keys and who has not', async () => {
    const owner = makePerson('owner');
    const signer = makeSigner();
    const store = memoryStore();
    await store.initialise();
    const vault = memoryVault();
    const keys = { ring: makeRing([owner]), signer };
    await archiving(store, vault, () => untilQuiet(vault, now()), { keys });
    const timelines = await readLogCatalog(vault);
    const [mark] = timelines[0]!.quiet.slice(-1);
    const trust = { trustedSigners: [signer.name], requireSignature: true };
    const asOwner = { ...keysOf(makeRing([], [owner])), trust };
    for (const opened of [
      timelines,
      openLogs(vault, timelines, asOwner),
      openLogs(vault, timelines, keysOf(makeRing([]))),
    ]) {
      const { spans } = await surveyLogs(vault, await readCatalog(vault), opened);
      assert.equal(spans[0]!.until, mark!.asOf);
    }
  });

  it('needs no spool while the vault is away, and moves into the vault what waits there', async () => {
    const store = memoryStore();
    await store.initialise();
    const [inner, aside] = [memoryVault(), memoryVault()];
    let isDown = false;
    const vault: Vault = {
      ...inner,
      createObject: async (name) => {
        if (isDown) throw new BackupError('vault_unreachable', 'away on purpose');
        return inner.createObject(name);
      },
    };
    const outage = { policy: 'spool', vault: aside, limitBytes: 1 << 20 } as const;
    const waiting = async (): Promise<string[]> => {
      const names: string[] = [];
      for await (const { name } of aside.list('log/')) names.push(name);
      return names;
    };
    await archiving(
      store,
      vault,
      async () => {
        await untilQuiet(inner, now());
        isDown = true;
        await store.append([{ streamId: 'a', events: numbered(1) }]);
        await until(async () => (await waiting()).length > 0);
        await sleep(50);
        assert.equal((await waiting()).length, 1, 'nothing but the file');
        isDown = false;
        await untilQuiet(inner, now());
        assert.deepEqual(await waiting(), []);
      },
      { outage },
    );
    assert.equal((await timelineOf(inner)).spans[0]!.to, 2n);
  });
});
