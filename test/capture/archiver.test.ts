import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ArchiveNote, type ArchiveOptions, archive, type Outage } from '../../src/capture/archiver.ts';
import type { ArchiveStatus } from '../../src/capture/status.ts';
import { BackupError, isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { readLogBlocks } from '../../src/format/log-reader.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { testClock } from '../harness/memory-backup.ts';

const HOLD: Outage = { policy: 'hold' };

async function openStore(): Promise<EventStore> {
  const store = memoryStore();
  await store.initialise();
  return store;
}

/** Appends `count` events to a stream, one transaction each, from the version that it has. */
async function appendMany(
  store: EventStore,
  streamId: string,
  count: number,
  data = '{"n":1}',
): Promise<void> {
  for (let i = 0; i < count; i += 1) await store.append([{ streamId, events: [{ type: 'Noted', data }] }]);
}

function run(
  store: EventStore,
  vault: Vault,
  options: Partial<ArchiveOptions> = {},
  ports: { ensureBase?: (reason: string) => Promise<void> } = {},
): Promise<ArchiveStatus> {
  return archive(
    { store, vault, clock: testClock, ...ports },
    {
      ...{ format: 'jsonl', compression: 'none', level: null, flushMs: 20, idleMs: 50 },
      ...{ software: 'test', outage: HOLD, once: true, ...options },
    },
  );
}

/** Ids of the events of a vault's log, in its order; the log must be one unbroken, sound one. */
async function archivedIds(vault: Vault, spans = 1): Promise<string[]> {
  const [timeline, ...others] = await readLogCatalog(vault);
  assert.deepEqual(others, []);
  assert.deepEqual(timeline!.problems, []);
  assert.equal(timeline!.spans.length, spans);
  const ids: string[] = [];
  for (const span of timeline!.spans) {
    for await (const block of readLogBlocks(vault, span.files)) {
      const events = await block.events();
      for (let row = 0; row < (events?.count ?? 0); row += 1) {
        const start = events!.id.starts[row]!;
        ids.push(
          Buffer.from(events!.bytes.subarray(start, start + events!.id.lengths[row]!)).toString('hex'),
        );
      }
    }
  }
  return ids;
}

async function storedIds(store: EventStore): Promise<string[]> {
  const ids: string[] = [];
  for await (const event of store.readSince('1970-01-01T00:00:00Z')) ids.push(event.id.replaceAll('-', ''));
  return ids.sort();
}

/** Runs until `isEnough`, then stops it as Ctrl-C does. */
async function runUntil(
  store: EventStore,
  vault: Vault,
  isEnough: (status: ArchiveStatus) => boolean,
  options: Partial<ArchiveOptions> = {},
): Promise<ArchiveStatus> {
  const stop = new AbortController();
  let last: ArchiveStatus | null = null;
  const running = run(store, vault, {
    ...options,
    ...{ once: false, signal: stop.signal },
    onStatus: (status) => {
      last = status;
      if (isEnough(status)) stop.abort();
    },
  });
  await assert.rejects(running, (error) => isBackupError(error, 'interrupted'));
  return last!;
}

async function waitFor(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await isSo()); tries += 1) {
    assert.ok(tries < 500, 'it never came about');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function outliveFailure(failAt: number): Promise<void> {
  const store = await openStore();
  const vault = memoryVault();
  await run(store, vault);
  await appendMany(store, 'steady', 4);
  const { vault: faulty } = faultyVault(vault, { failAt });
  const notes: ArchiveNote[] = [];
  const running = runUntil(store, faulty, ({ events }) => events >= 8, {
    onNote: (note) => notes.push(note),
  });
  await appendMany(store, 'steady', 4);
  await running;
  assert.deepEqual((await archivedIds(vault)).sort(), await storedIds(store), `call ${failAt}`);
  assert.ok(
    notes.length === 0 || notes.some(({ message }) => message === 'the log goes on'),
    `call ${failAt}`,
  );
}

describe('an archiver', () => {
  it('takes what was committed since the log began, each event once, and goes on where the log ends', async () => {
    const store = await openStore();
    const vault = memoryVault();
    await run(store, vault);
    await appendMany(store, 'first', 5);
    const status = await runUntil(store, vault, ({ events }) => events >= 5);
    assert.equal(status.events, 5);
    assert.equal(status.transactions, 5);
    await appendMany(store, 'second', 3);
    await runUntil(store, vault, ({ events }) => events >= 3);
    assert.deepEqual((await archivedIds(vault)).sort(), await storedIds(store));
  });

  it('keeps transactions over several streams whole, and splits one that is larger than a batch into blocks of one file', async () => {
    const store = await openStore();
    const vault = memoryVault();
    await run(store, vault);
    const data = JSON.stringify({ text: 'x'.repeat(1 << 20) });
    const large = Array.from({ length: 14 }, () => ({ type: 'Noted', data }));
    await store.append([
      { streamId: 'a', events: large },
      { streamId: 'b', events: [{ type: 'Noted', data: '{}' }] },
    ]);
    await appendMany(store, 'c', 2);
    const status = await run(store, vault);
    assert.equal(status.transactions, 3);
    assert.deepEqual((await archivedIds(vault)).sort(), await storedIds(store));
    const [timeline] = await readLogCatalog(vault);
    const files = timeline!.spans[0]!.files;
    const blocks = [];
    for await (const { header, file } of readLogBlocks(vault, files))
      blocks.push({ ...header, name: file.name });
    const open = blocks.filter(({ isOpen }) => isOpen);
    assert.ok(open.length >= 3, `${open.length} blocks end within the transaction`);
    assert.equal(new Set(open.map(({ name }) => name)).size, 1);
    assert.ok(blocks.filter(({ to, isOpen }) => isOpen && to !== null).length === 0);
  });

  it('loses nothing and writes nothing twice, whichever call to the vault fails', async () => {
    const failAts = Array.from({ length: 14 }, (_, i) => i + 1);
    await Promise.all(failAts.map(outliveFailure));
  });

  it('looks through the whole vault once, and from its first file on through its own log alone', async () => {
    const store = await openStore();
    const inner = memoryVault();
    await run(store, inner);
    const listed: string[] = [];
    let failures = 0;
    const vault: Vault = {
      ...inner,
      createObject: (name) => {
        if (failures === 0) return inner.createObject(name);
        failures -= 1;
        throw new BackupError('vault_unreachable', 'away on purpose');
      },
      list: (prefix) => {
        listed.push(prefix);
        return inner.list(prefix);
      },
    };
    await appendMany(store, 'steady', 1);
    const running = runUntil(store, vault, ({ events }) => events >= 3);
    await waitFor(async () => (await archivedIds(inner)).length === 1);
    assert.ok(listed.includes('backups/') && listed.includes('log/'), listed.join());
    listed.length = 0;
    failures = 1;
    await appendMany(store, 'steady', 2);
    await running;
    const { folder } = (await readLogCatalog(inner))[0]!;
    assert.ok(listed.includes(folder), 'a session began anew');
    for (const prefix of listed) assert.ok(prefix.startsWith(folder), prefix);
    assert.deepEqual((await archivedIds(inner)).sort(), await storedIds(store));
  });

  it('ends with the failure when it was to run once', async () => {
    const store = await openStore();
    const { vault } = faultyVault(memoryVault(), { failAt: 1, forGood: true });
    await assert.rejects(run(store, vault), (error) => isBackupError(error, 'vault_unreachable'));
  });

  it('waits out a vault that begins to refuse, and says so each time', async () => {
    const store = await openStore();
    const inner = memoryVault();
    await run(store, inner);
    let refusals = 0;
    const vault: Vault = {
      ...inner,
      createObject: (name) => {
        if (refusals === 0) return inner.createObject(name);
        refusals -= 1;
        throw new BackupError('vault_refused', 'it is read-only on purpose', { hint: 'mount it' });
      },
    };
    const notes: ArchiveNote[] = [];
    await appendMany(store, 'steady', 2);
    const running = runUntil(store, vault, ({ events }) => events >= 5, {
      onNote: (note) => notes.push(note),
    });
    await waitFor(async () => (await archivedIds(inner)).length === 2);
    refusals = 2;
    await appendMany(store, 'steady', 3);
    await running;
    assert.deepEqual((await archivedIds(inner)).sort(), await storedIds(store));
    const said = notes.filter(({ isGrave }) => isGrave).map(({ message }) => message);
    assert.deepEqual(
      said,
      Array(2).fill('it is read-only on purpose (mount it); trying again until it works'),
    );
  });

  it('ends when the vault refuses before anything was written: that is a mistake', async () => {
    const store = await openStore();
    const inner = memoryVault();
    await run(store, inner);
    await appendMany(store, 'steady', 1);
    const vault: Vault = {
      ...inner,
      createObject: () => Promise.reject(new BackupError('vault_refused', 'on purpose')),
    };
    await assert.rejects(run(store, vault, { once: false }), (error) =>
      isBackupError(error, 'vault_refused'),
    );
  });

  it('marks a gap when the store is no longer the one that the log is of, and asks for a new base', async () => {
    const vault = memoryVault();
    const first = await openStore();
    await run(first, vault);
    await appendMany(first, 'old', 2);
    await run(first, vault);
    const second = await openStore();
    await appendMany(second, 'new', 2);
    const notes: ArchiveNote[] = [];
    const wanted: string[] = [];
    const status = await run(
      second,
      vault,
      { onNote: (note) => notes.push(note) },
      { ensureBase: async (reason) => void wanted.push(reason) },
    );
    assert.equal(status.gaps, 1);
    assert.equal(notes.filter(({ isGrave }) => isGrave).length, 1);
    assert.match(wanted.join(), /there is a gap/);
    const timelines = await readLogCatalog(vault);
    assert.equal(timelines.length, 2);
    assert.equal(timelines.flatMap(({ gaps }) => gaps).length, 1);
  });

  it('goes on from the begin behind a gap, when it is started again before anything else was written', async () => {
    const vault = memoryVault();
    await run(await openStore(), vault);
    const second = await openStore();
    await appendMany(second, 'new', 2);
    await run(second, vault);
    await run(second, vault);
    await appendMany(second, 'new', 2);
    await run(second, vault);
    const timelines = await readLogCatalog(vault);
    const behind = timelines.find(({ gaps }) => gaps.length > 0)!;
    assert.equal(behind.spans.length, 1, 'the begin and what follows it are one run');
    let events = 0;
    for await (const block of readLogBlocks(vault, behind.spans[0]!.files)) {
      events += (await block.events())?.count ?? 0;
    }
    assert.equal(events, 2);
  });

  it('goes on behind a gap when the feed cannot tell what was committed, and ends when that happens again at once', async () => {
    const store = await openStore();
    const vault = memoryVault();
    await run(store, vault);
    let losses = 1;
    const losing: EventStore = {
      ...store,
      openFeed: async (options) => {
        const feed = await store.openFeed(options);
        return {
          ...feed,
          async *read(reading) {
            for await (const batch of feed.read(reading)) {
              if (losses > 0) {
                losses -= 1;
                throw new BackupError('feed_lost', 'a change cannot be told on purpose');
              }
              yield batch;
            }
          },
        };
      },
    };
    await appendMany(store, 'told', 1);
    const status = await run(losing, vault);
    assert.equal(status.gaps, 1);
    await appendMany(store, 'told', 2);
    assert.equal((await run(losing, vault)).events, 2);
    losses = 2;
    await assert.rejects(run(losing, vault), (error) => isBackupError(error, 'feed_lost'));
  });

  it('does not write beside another archiver of the same log', async () => {
    const store = await openStore();
    const vault = memoryVault();
    await run(store, vault);
    await appendMany(store, 'shared', 1);
    const both = await Promise.allSettled([run(store, vault), run(store, vault)]);
    await archivedIds(vault);
    const refused = both.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
    for (const { reason } of refused)
      assert.ok(isBackupError(reason, 'lease_held', 'vault_object_exists'), String(reason));
    await appendMany(store, 'shared', 2);
    await run(store, vault);
    assert.deepEqual((await archivedIds(vault)).sort(), await storedIds(store));
  });
});

describe('while the vault cannot be written', () => {
  const down = (inner: Vault) => {
    const state = { isDown: false };
    const refuse = async (): Promise<never> => {
      throw new BackupError('vault_unreachable', 'the vault is away on purpose');
    };
    const vault: Vault = {
      ...inner,
      createObject: (name) => (state.isDown ? refuse() : inner.createObject(name)),
      open: (options) => (state.isDown ? refuse() : inner.open(options)),
      stat: (name) => (state.isDown ? refuse() : inner.stat(name)),
      async *list(prefix) {
        if (state.isDown) await refuse();
        yield* inner.list(prefix);
      },
    };
    return { vault, state };
  };

  it('files are put aside in order and moved into the vault when it is back', async () => {
    const store = await openStore();
    const inner = memoryVault();
    const aside = memoryVault();
    const { vault, state } = down(inner);
    await run(store, vault);
    const outage: Outage = { policy: 'spool', vault: aside, limitBytes: 1 << 20 };
    await appendMany(store, 'one', 3);
    const stop = new AbortController();
    let latest: ArchiveStatus | null = null;
    const running = run(store, vault, {
      ...{ outage, once: false, signal: stop.signal },
      onStatus: (status) => (latest = status),
    });
    const until = async (isEnough: (status: ArchiveStatus) => boolean): Promise<void> => {
      while (latest === null || !isEnough(latest)) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await until(({ events }) => events >= 3);
    state.isDown = true;
    for (let i = 1; i <= 3; i += 1) {
      await appendMany(store, 'two', 2);
      await until(({ events }) => events >= 3 + 2 * i);
    }
    assert.ok(latest!.spooledFiles >= 3);
    stop.abort();
    await assert.rejects(running, (error) => isBackupError(error, 'interrupted'));
    // The next run begins behind what waits, with the vault still away.
    await appendMany(store, 'three', 1);
    await runUntil(store, vault, ({ events }) => events >= 1, { outage });
    state.isDown = false;
    await run(store, vault, { outage });
    assert.deepEqual((await archivedIds(inner)).sort(), await storedIds(store));
    for await (const { name } of aside.list('log/')) assert.fail(`${name} still waits`);
  });

  it('a spool that is full is no further place: the store holds what comes', async () => {
    const store = await openStore();
    const inner = memoryVault();
    const aside = memoryVault();
    const { vault, state } = down(inner);
    await run(store, vault);
    const outage: Outage = { policy: 'spool', vault: aside, limitBytes: 3000 };
    const stop = new AbortController();
    let latest: ArchiveStatus | null = null;
    const running = run(store, vault, {
      ...{ outage, once: false, signal: stop.signal, onStatus: (status) => (latest = status) },
    });
    while (latest === null || (latest as ArchiveStatus).state !== 'capturing')
      await new Promise((resolve) => setTimeout(resolve, 5));
    state.isDown = true;
    for (let i = 0; i < 12; i += 1) {
      await appendMany(store, 'much', 1, JSON.stringify({ text: 'y'.repeat(500) }));
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    while ((latest as ArchiveStatus).state !== 'waiting')
      await new Promise((resolve) => setTimeout(resolve, 5));
    let bytes = 0;
    for await (const { sizeBytes } of aside.list('log/')) bytes += sizeBytes;
    assert.ok(bytes <= 3000 && bytes > 0, `${bytes} bytes wait`);
    state.isDown = false;
    while ((latest as ArchiveStatus).events < 12) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort();
    await assert.rejects(running, (error) => isBackupError(error, 'interrupted'));
    assert.deepEqual((await archivedIds(inner)).sort(), await storedIds(store));
  });

  it('the store is let go beyond a limit where its disk is worth more than the log, and somebody is told in time', async () => {
    const store = await openStore();
    const inner = memoryVault();
    const { vault, state } = down(inner);
    await run(store, vault);
    const kept = { retainedBytes: 900, spareBytes: 100 };
    let isDropped = false;
    const keeping: EventStore = {
      ...store,
      feedState: async () => ({ ...(await store.feedState())!, ...kept }),
      dropFeed: async () => {
        isDropped = true;
      },
    };
    state.isDown = true;
    const notes: string[] = [];
    const outage: Outage = { policy: 'drop', limitBytes: 1000 };
    const stop = new AbortController();
    const running = run(keeping, vault, {
      ...{ outage, once: false, signal: stop.signal },
      onNote: ({ message }) => notes.push(message),
    });
    const until = async (isSo: () => boolean): Promise<void> => {
      while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await until(() => notes.some((note) => note.includes('nearly as much')));
    assert.equal(isDropped, false);
    kept.retainedBytes = 1001;
    await until(() => isDropped);
    stop.abort();
    await assert.rejects(running, (error) => isBackupError(error, 'interrupted'));
    assert.equal(notes.filter((note) => note.includes('nearly as much')).length, 1);
    assert.ok(notes.includes('the store keeps no more changes for the log: it will have a gap'));
  });
});
