import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { drProtector } from '../../src/cli/disaster/protector.ts';
import { drRestorer } from '../../src/cli/disaster/restorer.ts';
import { drSalvager } from '../../src/cli/disaster/salvager.ts';
import { drTrials } from '../../src/cli/disaster/trials.ts';
import { openStore } from '../../src/cli/wire.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { EpochRecord } from '../../src/format/epoch.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { type Cluster, freezeServer, killServer, startCluster, stopSenders } from '../harness/clusters.ts';
import { type OpenedWork, openRecoveryWork, writeConfig } from '../harness/recovery-work.ts';

const { signal } = new AbortController();
const CALL = { signal };
const WRITERS = 6;
const CHILD = join(import.meta.dirname, 'dr-child.ts');

interface Acknowledged {
  readonly id: string;
  readonly streamId: string;
}

/** Appends until it is stopped or the server is gone; gives what was acknowledged, and what was under way when it ended. */
async function write(address: string, writer: number, stop: AbortSignal) {
  const store = await openStore(address);
  const acked: Acknowledged[] = [];
  let pending: string | null = null;
  try {
    for (let n = 0; !stop.aborted; n += 1) {
      const [id, streamId] = [randomUUID(), `w${writer}-${n % 7}`];
      pending = id;
      await store.append([{ streamId, events: [{ id, type: 'Written', data: `{"n": ${n}}` }] }]);
      acked.push({ id, streamId });
      pending = null;
    }
  } catch (error) {
    assert.ok(isBackupError(error), String(error));
  } finally {
    await store.close();
  }
  return { acked, pending };
}

async function idsOf(store: EventStore): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const { id } of store.readSince('2000-01-01T00:00:00Z', { limit: 1_000_000 })) ids.add(id);
  return ids;
}

/** Runs a child until a line of it matches, then kills it; a child that ends before has not to be killed. */
function runKilled(folder: string, action: string, request: object, at: RegExp | null): Promise<string> {
  const child = spawn(process.execPath, [CHILD, folder, action, JSON.stringify(request)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  return new Promise((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (at?.test(said)) child.kill('SIGKILL');
    });
    child.on('close', () => resolve(said));
  });
}

describe('after a primary died with writes that no standby has', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dr-ports-'));
  const planId = randomUUID();
  let cluster: Cluster;
  let work: OpenedWork;
  let [old, fresh, vault, spare] = ['', '', '', ''];
  let acked: Acknowledged[] = [];
  let pending: string[] = [];

  before(async () => {
    cluster = await startCluster({ settings: { wal_level: 'logical' } });
    const { primary } = cluster;
    const standby = cluster.standbys[0]!;
    await primary.createDatabase('events');
    await primary.createDatabase('spare');
    old = primary.address('events');
    fresh = standby.address('events');
    spare = standby.address('spare');
    vault = `file:${join(folder, 'west')}`;
    const config = `
disaster:
  public: ${fresh.replace('127.0.0.1', 'localhost')}
  regions:
    - { region: east, vault: ./east, servers: [ "${old}" ] }
    - { region: west, vault: ./west, restore_to: "${spare}", servers: [ "${fresh}" ] }
`;
    work = await openRecoveryWork(writeConfig(folder, config));
    const store = await openStore(old);
    await store.initialise();
    await store.append([{ streamId: 'w0-0', events: [{ type: 'Written', data: '{}' }] }]);
    await store.close();
    await drProtector(work).protect({ store: old, vault }, CALL);
    const stop = new AbortController();
    const writing = Array.from({ length: WRITERS }, (_, writer) => write(old, writer, stop.signal));
    await sleep(300);
    stopSenders(primary);
    await sleep(300);
    await killServer(primary);
    stop.abort();
    const written = await Promise.all(writing);
    acked = written.flatMap((one) => one.acked);
    pending = written.flatMap((one) => one.pending ?? []);
    await standby.exec('SELECT pg_promote(true, 30)');
    await primary.restart(() => {});
    const conflict = await openStore(fresh);
    const [first] = await conflict.readStream('w0-0', { limit: 1 });
    assert.equal(first?.type, 'Written');
    await conflict.append([{ streamId: 'w0-0', events: [{ type: 'GoneOn', data: '{}' }] }]);
    await conflict.close();
  });

  after(async () => {
    await work.close();
    await cluster.stop();
    rmSync(folder, { recursive: true });
  });

  const salvageRequest = (merge: boolean) => ({
    ...{ planId, from: old, into: fresh, vault, merge },
    recovery: { strategy: 'regional_failover' as const, recoveredAt: null, cutLsn: '0/1' },
  });

  const idsInRecord = (name: string | null): readonly string[] => {
    if (name === null) return [];
    const { vanished } = JSON.parse(readFileSync(join(folder, 'west', name), 'utf8')) as EpochRecord;
    return vanished.ids ?? [];
  };

  it('salvages exactly the acknowledged events that were lost, killed wherever it is, and merges them once', async () => {
    const store = await openStore(fresh);
    const there = await idsOf(store);
    const lost = acked.filter(({ id }) => !there.has(id));
    assert.ok(lost.length > 10, `${lost.length} of ${acked.length} were lost`);
    await runKilled(folder, 'salvage', salvageRequest(true), /comparing the old store/);
    await runKilled(folder, 'salvage', salvageRequest(true), /merging what/);
    const found = await drSalvager(work).salvage(salvageRequest(true), CALL);
    const lines = readFileSync(join(folder, 'west', found.object!), 'utf8')
      .trimEnd()
      .split('\n');
    const written = new Set(lines.map((line) => (JSON.parse(line) as { id: string }).id));
    // A commit that was under way when the server died may be there without an answer: the clients' log tells it apart.
    const inDoubt = pending.filter((id) => written.has(id));
    assert.deepEqual(
      [...written].filter((id) => !inDoubt.includes(id)).toSorted(),
      lost.map(({ id }) => id).toSorted(),
    );
    assert.equal(found.events, written.size);
    assert.ok(found.spanMs !== null && found.spanMs > 0 && found.spanMs < 10_000, `${found.spanMs}`);
    const conflicting = lines.filter(
      (line) => line.includes('"stream":"w0-0"') || /"w0-0"/.test(line),
    ).length;
    assert.equal(found.conflicts, conflicting === 0 ? 0 : 1);
    assert.equal(found.merged, found.events - conflicting);
    const now = await idsOf(store);
    assert.equal([...written].filter((id) => now.has(id)).length, found.merged);
    assert.equal(found.vanished, conflicting);
    assert.deepEqual(
      idsInRecord(found.epochRecord).toSorted(),
      [...written].filter((id) => !now.has(id)).toSorted(),
    );
    assert.deepEqual(await drSalvager(work).salvage(salvageRequest(true), CALL), found);
    await store.close();
  });

  it('is checked, takes writes, and is found by its name; the old primary under that name gets no event', async () => {
    const read = async () => '127.0.0.1';
    const trials = drTrials(work, { planId, name: { name: 'db.test', read }, lagMs: 0 });
    const { checks, risks } = await trials.examine(fresh, CALL);
    assert.ok(Number(checks) > 10, `${checks}`);
    assert.equal(typeof risks, 'number');
    const standby = cluster.standbys[0]!;
    await standby.exec(
      `INSERT INTO eventcore_subscription_versions VALUES ('mail', '00000000-0000-4000-8000-000000000001'),
        ('new', '00000000-0000-0000-0000-000000000000'), ('sums', (SELECT min(event_id::text)::uuid FROM eventcore_events))`,
      'events',
    );
    const { ghosts, ghostNames } = await trials.examine(fresh, CALL);
    assert.deepEqual([ghosts, ghostNames], [1, 'mail']);
    await standby.exec('DELETE FROM eventcore_subscription_versions', 'events');
    const sampling = drTrials(work, { planId, name: null, lagMs: 0, mostEvents: 20 });
    assert.match(String((await sampling.examine(fresh, CALL)).streams), /^1 of \d+ parts$/);
    await trials.probeWrites(fresh, CALL);
    const again = await trials.probeWrites(fresh, CALL);
    assert.deepEqual([again.stream, again.version], [`eventcore-recovery-${planId}`, '4']);
    const through = await trials.probePublic(fresh, CALL);
    assert.deepEqual([through.nameProven, through.publicProven], [true, true]);

    const { disaster } = work;
    const stale = { ...work, disaster: { ...disaster, public: old } };
    const lagging = drTrials(stale, { planId, name: null, lagMs: 300 });
    await assert.rejects(lagging.probePublic(fresh, CALL), (error) => {
      assert.ok(isBackupError(error, 'verification_failed'));
      assert.match(error.message, /timeline 1, not 2/);
      return true;
    });
    const store = await openStore(old);
    assert.deepEqual(await store.readStream(`eventcore-recovery-${planId}`), []);
    await store.close();
  });

  it('gets a backup and a log that carries it on, and is restored from them into a clean place, killed or not', async () => {
    const protector = drProtector(work);
    assert.equal(await protector.catchUp({ store: fresh, vault }, CALL), null);
    // What the old primary still keeps for its log is all that its standby never got, and more.
    const caughtUp = await protector.catchUp({ store: old, vault }, CALL);
    assert.ok(Number(caughtUp?.logEvents) >= acked.length, `${caughtUp?.logEvents}`);
    const facts = await protector.protect({ store: fresh, vault }, CALL);
    assert.deepEqual([facts.logCarriesOn, facts.logGaps], [true, 1]);
    assert.equal(await protector.catchUp({ store: old, vault }, CALL), null);
    const store = await openStore(fresh);
    await store.append([{ streamId: 'later', events: [{ type: 'Later', data: '{}' }] }]);
    assert.equal((await protector.catchUp({ store: fresh, vault }, CALL))?.logEvents, 1);

    const restorer = drRestorer(work, { waitForArchive: false });
    assert.equal(await restorer.refuse(spare, CALL), null);
    assert.match((await restorer.refuse(fresh, CALL)) ?? '', /a store in use/);
    const request = { planId, to: spare, at: null, vaults: [`file:${join(folder, 'east')}`, vault] };
    const aborter = new AbortController();
    const info = (said: string): void => {
      if (said === 'loading events') aborter.abort();
    };
    const stopped = { ...work, context: { ...work.context, log: { ...work.context.log, info } } };
    await assert.rejects(
      drRestorer(stopped, { waitForArchive: false }).restore({ ...request, isAgain: false }, aborter),
      (error) => isBackupError(error, 'interrupted'),
    );
    assert.equal(await restorer.refuse(spare, CALL), null);
    await runKilled(folder, 'restore', { ...request, isAgain: false }, /loading events/);
    await runKilled(folder, 'restore', { ...request, isAgain: true }, /publishing/);
    const restored = await restorer.restore({ ...request, isAgain: true }, CALL);
    assert.match(String(restored.passedOver), /east: no backup/);
    const target = await openStore(spare);
    assert.deepEqual(await digestStore(target), await digestStore(store));
    assert.match((await restorer.refuse(spare, CALL)) ?? '', /events|not empty/);
    await target.close();

    // A copy of the log that ends earlier is not carried on: that would be a gap.
    const east = join(folder, 'east');
    await cp(join(folder, 'west'), east, { recursive: true });
    const later = { streamId: 'later', events: [{ type: 'Later', data: '{}' }] };
    for (const place of [vault, `file:${east}`]) {
      await store.append([later]);
      const {
        vault: into,
        logEvents,
        logGaps,
      } = (await protector.catchUp({ store: fresh, vault: place }, CALL))!;
      assert.deepEqual([into, logEvents, logGaps], [vault, 1, 0]);
    }
    await store.close();
  });

  it('wait for nobody who says nothing', async () => {
    const goOn = freezeServer(cluster.standbys[0]!);
    try {
      const trials = drTrials(work, { planId, name: null, lagMs: 0 });
      const calls = [
        (call: { readonly signal: AbortSignal }) => trials.examine(fresh, call),
        (call: { readonly signal: AbortSignal }) => trials.probeWrites(fresh, call),
        (call: { readonly signal: AbortSignal }) => drProtector(work).protect({ store: fresh, vault }, call),
        (call: { readonly signal: AbortSignal }) => drSalvager(work).salvage(salvageRequest(true), call),
        (call: { readonly signal: AbortSignal }) =>
          drRestorer(work, { waitForArchive: false }).refuse(spare, call),
      ];
      const startedMs = performance.now();
      const ended = await Promise.allSettled(calls.map((call) => call({ signal: AbortSignal.timeout(300) })));
      assert.deepEqual(
        ended.map(({ status }) => status),
        calls.map(() => 'rejected'),
      );
      assert.ok(performance.now() - startedMs < 5000);
    } finally {
      goOn();
    }
  });
});
