import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import type { FeedSource } from '../../src/core/change-feed.ts';
import { formatTime, timeFromUnixMs } from '../../src/core/time.ts';
import { writeGap } from '../../src/format/log-gap.ts';
import { logFolder } from '../../src/format/log-name.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { makeFolder, runHere, withStoreAt } from '../harness/command.ts';
import { idsOf, type ModelTransaction, writeModelLog } from '../harness/log-model.ts';

const SOURCE: FeedSource = {
  ...{ kind: 'sqlite', systemIdentifier: 'a-file', timeline: 1 },
  ...{ database: 'events.db', relation: 'eventcore_events' },
};
const SECOND = 1_000_000n;

function event(number: number) {
  const id = `00000000-0000-7000-8000-${String(number).padStart(12, '0')}`;
  return { id, streamId: `s-${number % 3}`, version: Math.ceil(number / 3) };
}

/** A store of six events, of which a backup has the first three and the log the others, then a gap, then one more. */
describe('recovery to a point on the command line', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let begin: bigint;
  const numbers = [1, 2, 3, 4, 5, 6];

  const run = (...words: string[]) => runHere(words, { env: { EVENTCORE_VAULT: join(folder, 'vault') } });
  const json = async (...words: string[]) => {
    const ran = await run(...words, '--json');
    return { ran, document: ran.stdout === '' ? null : JSON.parse(ran.stdout) };
  };
  const address = (name: string): string => `sqlite:${join(folder, name)}`;
  const at = (second: bigint): string => formatTime(begin + second * SECOND);
  const restored = (name: string): Promise<string[]> => withStoreAt(address(name), idsOf);
  const ids = (...wanted: number[]): string[] => wanted.map((number) => event(number).id);

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    await withStoreAt(address('events.db'), async (store) => {
      await store.initialise();
      for (const number of numbers.slice(0, 3)) {
        const { id, streamId } = event(number);
        await store.append([{ streamId, events: [{ id, type: 'T', data: '{}' }] }]);
      }
    });
    const backup = await run('backup', 'full', '--store', address('events.db'));
    assert.equal(backup.code, 0, backup.stderr);
    begin = timeFromUnixMs(Date.now() + 1000);
    await writeLog();
  });

  after(() => remove());

  async function writeLog(): Promise<void> {
    const vault = openDirectoryVault(join(folder, 'vault'));
    await vault.open({ create: false });
    const log = numbers.slice(3).map(
      (number): ModelTransaction => ({
        ...{
          xid: 0n,
          commit: BigInt(number),
          time: begin + BigInt(number) * SECOND,
          events: [event(number)],
        },
      }),
    );
    const asOf = begin + 10n * SECOND;
    const cuts = [
      { transactions: 1, endsFile: true },
      { transactions: 3, asOf, endsFile: true },
    ];
    await writeModelLog(vault, log, cuts, { from: 4n, source: SOURCE });
    const noticedAt = '2026-11-24T00:00:00.000Z';
    const gap = { from: 7n, to: 20n, reason: 'poll_lost', message: 'rows were removed', noticedAt };
    await writeGap(vault, logFolder(SOURCE), gap);
    const later = { ...log[0]!, commit: 20n, time: begin + 50n * SECOND, events: [event(20)] };
    const cut = { transactions: 1, asOf: begin + 60n * SECOND, endsFile: true };
    await writeModelLog(vault, [later], [cut], { from: 20n, source: SOURCE });
    await vault.close();
  }

  it('list shows the window, the gap and the log', async () => {
    const { document } = await json('list');
    assert.equal(document.recoveryWindows.length, 1);
    const [window] = document.recoveryWindows;
    assert.deepEqual([window.source, window.to, window.fromLsn, window.toLsn], ['log', at(10n), '3', '6']);
    assert.deepEqual(
      document.gaps.map((gap: Record<string, unknown>) => [gap.fromLsn, gap.toLsn, gap.reason, gap.from]),
      [['7', '20', 'poll_lost', at(10n)]],
    );
    assert.deepEqual(document.log.length, 2);
    const { stdout } = await run('list');
    assert.match(stdout, /Change log: 3 files/);
    assert.match(stdout, /gap from 7 to 20: rows were removed/);
  });

  it('restores each point, by time, position and event, and says what it reached', async () => {
    const points = [
      { flags: ['--at', at(5n)], wanted: [1, 2, 3, 4, 5], target: { time: at(5n) }, reached: ['5', at(5n)] },
      { flags: ['--lsn', '4'], wanted: [1, 2, 3, 4], target: { lsn: '4' }, reached: ['4', at(4n)] },
      {
        flags: ['--before-event', event(6).id],
        wanted: [1, 2, 3, 4, 5],
        target: { beforeEvent: event(6).id },
        reached: ['5', at(5n)],
      },
      { flags: [], wanted: numbers, target: { time: at(6n) }, reached: ['6', at(6n)] },
    ];
    for (const [i, { flags, wanted, target, reached }] of points.entries()) {
      const { ran, document } = await json('restore', '--to', address(`r${i}.db`), ...flags);
      assert.equal(ran.code, 0, ran.stderr);
      assert.deepEqual(await restored(`r${i}.db`), ids(...wanted));
      const [reachedLsn, reachedTime] = reached;
      const transactions = wanted.length - 3;
      assert.deepEqual(document.target, { ...target, reachedLsn, reachedTime, transactions });
      assert.equal(document.epochRecord.vanished.events, i === 3 ? 0 : numbers.length + 1 - wanted.length);
      assert.equal(document.dataIntegrityVerified, true);
    }
  });

  it('restores one backup alone when it is named, whatever the log has', async () => {
    const { document } = await json('list');
    const { backupId } = document.backups[0];
    const { document: report } = await json('restore', '--to', address('alone.db'), '--backup', backupId);
    assert.deepEqual(await restored('alone.db'), ids(1, 2, 3));
    assert.deepEqual(report.target, { time: document.backups[0].createdAt });
    assert.equal(report.epochRecord, undefined);
  });

  it('brings single streams back as of a point without a record: in no store does an event vanish', async () => {
    const records = () => globSync('epochs/*', { cwd: join(folder, 'vault') }).length;
    const before = records();
    const stream = ['--stream', 's-1', '--at', at(3n)];
    const { ran, document } = await json('restore', '--to', address('one.db'), ...stream);
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(await restored('one.db'), ids(1));
    assert.equal(document.epochRecord, undefined);
    const all = ['--stream', 's-1', '--at', at(5n)];
    assert.equal((await run('restore', '--to', address('one.db'), ...all, '--merge')).code, 0);
    assert.deepEqual(await restored('one.db'), ids(1, 4));
    assert.equal((await run('restore', '--to', address('one.db'), ...stream, '--merge')).code, 0);
    assert.deepEqual(await restored('one.db'), ids(1, 4), 'what is behind the point stays');
    assert.equal(records(), before);
  });

  it('prints the plan, and changes nothing', async () => {
    const words = ['restore', '--to', address('dry.db'), '--at', at(5n), '--dry-run'];
    const { document } = await json(...words);
    assert.equal(document.dryRun, true);
    assert.deepEqual(document.target, {
      ...{ time: at(5n), reachedLsn: '5', reachedTime: at(5n), transactions: null },
    });
    assert.equal(document.log.files.length, 2);
    assert.equal(document.log.eventsAtMost, 2);
    assert.equal(document.log.cutLsn, '6');
    assert.ok(document.expectedSeconds > 0);
    const { stdout } = await run(...words);
    assert.match(stdout, /log\s+2 files, .*at most 2 events/);
    assert.match(stdout, /takes about\s+1\.0 s, at 50,000 events\/s/);
    assert.match(stdout, /Nothing was changed/);
    await withStoreAt(address('dry.db'), async (store) => {
      assert.equal((await store.inspect()).state, 'missing');
    });
  });

  it('plans without a place too, and says how many events of the log lie behind the point', async () => {
    for (const [flags, behind] of [
      [['--at', at(5n)], 2],
      [['--lsn', '3'], 4],
      [['--before-event', event(5).id], 3],
      [[], 0],
    ] as const) {
      const { ran, document } = await json('restore', '--dry-run', ...flags);
      assert.equal(ran.code, 0, ran.stderr);
      assert.deepEqual(
        [document.eventsBehind, document.store, document.action],
        [behind, null, 'create'],
        flags.join(' '),
      );
    }
    const { stdout } = await run('restore', '--dry-run', '--at', at(5n));
    assert.match(stdout, /^Would restore into a new store, which does not exist yet/);
    assert.match(stdout, /behind it\s+2 events of the log, which this takes back/);
    const { document: one } = await json('restore', '--dry-run', '--at', at(5n), '--stream', 's-1');
    assert.deepEqual([one.store, one.events], [null, 2]);
  });

  it('tells a place that is not there yet from one that has no event store yet', async () => {
    const planned = async (): Promise<string> =>
      (await run('restore', '--dry-run', '--to', address('place.db'))).stdout;
    assert.match(await planned(), /place\.db, which does not exist yet: it is created\n/);
    const db = new DatabaseSync(join(folder, 'place.db'));
    db.exec('CREATE TABLE another (id INTEGER)');
    db.close();
    assert.match(await planned(), /place\.db, which has no event store yet: its tables are created\n/);
  });

  it('needs a place for all that is more than a look', async () => {
    for (const flags of [[], ['--dry-run', '--merge'], ['--dry-run', '--replace']]) {
      const ran = await run('restore', ...flags);
      assert.equal(ran.code, 2);
      assert.match(ran.stderr, /--to <store>/);
    }
  });

  it('refuses a point before all backups with 3, and one behind a gap with 4', async () => {
    for (const [flags, code, error] of [
      [['--at', '2001-01-01T00:00:00Z'], 3, 'no_restore_point'],
      [['--lsn', '2'], 3, 'no_restore_point'],
      [['--to-transaction', '5'], 3, 'no_restore_point'],
      [['--at', at(50n)], 4, 'log_gap'],
      [['--before-event', event(20).id], 4, 'log_gap'],
    ] as const) {
      const { ran } = await json('restore', '--to', address('never.db'), ...flags);
      assert.equal(ran.code, code, ran.stderr);
      assert.equal(JSON.parse(ran.stderr).error.code, error);
    }
    await withStoreAt(address('never.db'), async (store) => {
      assert.equal((await store.inspect()).state, 'missing');
    });
  });
});
