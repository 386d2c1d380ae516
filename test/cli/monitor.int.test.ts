import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Alert } from '../../src/core/alert.ts';
import {
  awaitCommand,
  digestAt,
  fillStore,
  makeFolder,
  type Ran,
  runCommand,
  runHere,
  startCommand,
  withStoreAt,
} from '../harness/command.ts';
import { startPostgres, startStandby, type TestPostgres } from '../harness/postgres.ts';

describe('eventcore monitor on PostgreSQL', () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let postgres: TestPostgres;
  let database: string;
  let address: string;
  const at = (name: string): string => join(folder.path, name);
  const sql = (text: string) => postgres.exec(text, database);
  const words = (...more: string[]): string[] => ['monitor', ...more, '--config', at('c.yaml')];
  const env = { PATH: process.env.PATH };

  function configure(notifier: string, monitor = ''): void {
    const notify = `notify: [{ command: [sh, -c, ${JSON.stringify(notifier)}] }]`;
    writeFileSync(at('c.yaml'), `store: ${address}\nvault: ./vault\nmonitor: { ${monitor} }\n${notify}\n`);
  }

  function alerts(name = 'alerts'): Alert[] {
    try {
      const lines = readFileSync(at(name), 'utf8').trim().split('\n');
      const all = lines.map((line) => JSON.parse(line) as Alert);
      // A server for tests has no checksums.
      return all.filter(({ key }) => !key.startsWith('server_safety'));
    } catch {
      return [];
    }
  }

  /** As somebody who may do anything does it: no trigger sees it. */
  const behindItsBack = (text: string) => sql(`SET session_replication_role = replica; ${text}`);

  const forge = (row: number) =>
    behindItsBack(`UPDATE eventcore_events SET event_data = '{"forged": true}'
      WHERE event_id = (SELECT event_id FROM eventcore_events ORDER BY event_id OFFSET ${row} LIMIT 1)`);

  before(async () => {
    folder = await makeFolder();
    postgres = await startPostgres();
    database = await postgres.createDatabase();
    address = postgres.address(database);
    await fillStore(address, 2500);
    configure(`cat >> "${at('alerts')}"`);
    assert.equal((await runHere(['backup', 'full', '--config', at('c.yaml')], { env })).code, 0);
  });
  after(async () => {
    await postgres?.stop();
    await folder.remove();
  });

  it('finds what was done behind its back, repairs it, and says that it is over', async () => {
    const sound = await digestAt(address);
    const clean = await runHere(words('--once', '--all'), { env });
    assert.equal(clean.code, 0, clean.stdout + clean.stderr);
    await forge(1234);
    const [trigger] = await sql(
      "SELECT tgname AS name FROM pg_trigger WHERE tgrelid = 'eventcore_events'::regclass AND NOT tgisinternal LIMIT 1",
    );
    await sql(`ALTER TABLE eventcore_events DISABLE TRIGGER ${trigger!.name}`);
    const found = await runHere(words('--once', '--all'), { env });
    assert.equal(found.code, 4, found.stdout);
    assert.match(found.stdout, /event_changed: 1 finding/);
    assert.ok(found.stdout.includes(String(trigger!.name)));
    const repaired = await runHere(words('--once', '--repair', '--apply'), { env });
    assert.equal(repaired.code, 0, repaired.stdout + repaired.stderr);
    assert.equal(await digestAt(address), sound);
    const told = alerts();
    assert.equal(told.length, 4, JSON.stringify(told));
    assert.deepEqual(new Set(told.map(({ key }) => key.split('@')[0])), new Set(['event_changed', 'guards']));
    assert.ok(told.slice(2).every(({ state }) => state === 'resolved'));
    const rest = readFileSync(at('alerts'), 'utf8').match(/"key":"server_safety@.*?"state":"\w+"/g);
    assert.equal(rest!.length, 2, 'what is asked once a round stays open until it is asked again');
  });

  it('killed between telling and noting, tells it again under the same id, and then no more', async () => {
    await forge(77);
    configure(`cat >> "${at('killed')}"; kill -9 $PPID`);
    const killed = await runCommand(folder.path, words('--once', '--all'));
    assert.equal(killed.code, null);
    assert.deepEqual(
      alerts('killed').map(({ state }) => state),
      ['raised'],
    );
    configure(`cat >> "${at('killed')}"`);
    assert.equal((await runHere(words('--once'), { env })).code, 7, 'its lease has a minute to live');
    rmSync(at('vault/leases/monitor'), { recursive: true });
    for (let times = 0; times < 2; times += 1)
      assert.equal((await runHere(words('--once'), { env })).code, 4);
    const [first, second, ...more] = alerts('killed');
    assert.deepEqual([second!.id, more.length], [first!.id, 0]);
    assert.equal((await runHere(words('--once', '--repair', '--apply'), { env })).code, 0);
  });

  it('watches until it is stopped, and repairs by itself what it may', async () => {
    configure(
      `cat >> "${at('loop')}"`,
      'check_interval: 1s, sample_percentage: 100%, auto_repair: true, repair_kinds: [put_back_events]',
    );
    await forge(2000);
    const child = startCommand(folder.path, words('--json'));
    const ended = awaitCommand(child);
    for (let i = 0; i < 150 && alerts('loop').length < 2; i += 1) await sleep(100);
    child.kill('SIGINT');
    const { code, stdout, stderr }: Ran = await ended;
    assert.deepEqual(
      alerts('loop').map(({ state }) => state),
      ['raised', 'resolved'],
      stderr,
    );
    assert.equal(code, 130);
    const { runs, last } = JSON.parse(stdout);
    assert.ok(runs >= 1);
    assert.equal(last.outcome, 'risk', 'a server for tests has no checksums');
    assert.match(stderr, /put_back_events: repaired/);
    assert.match(stderr, /runs? of the monitor ended; the next one goes on from the last report/);
  });

  it('is put off while replication lags, without a failure, and looks when it has caught up', async () => {
    configure('cat > /dev/null', 'max_replication_lag: 1s');
    const standby = await startStandby(postgres);
    try {
      const outcome = async () => JSON.parse((await runHere(words('--once', '--json'), { env })).stdout);
      assert.equal((await outcome()).outcome, 'risk');
      await standby.exec('SELECT pg_wal_replay_pause()');
      for (let i = 0; i < 3; i += 1) {
        await withStoreAt(address, (store) =>
          store.append([{ streamId: `late-${i}`, events: [{ type: 'Noted', data: '{}' }] }]),
        );
        await sleep(700);
      }
      const late = await runHere(words('--once', '--json'), { env });
      assert.equal(late.code, 0);
      assert.equal(JSON.parse(late.stdout).outcome, 'put_off');
      assert.match(JSON.parse(late.stdout).reason, /replication lags by \d+ s/);
    } finally {
      await standby.stop();
    }
    assert.equal((await runHere(words('--once'), { env })).code, 0);
  });

  it('says that the store was lost when it goes away meanwhile, and the next run goes on', async () => {
    configure('cat > /dev/null', 'rate_limit: 100kB/s');
    const running = runCommand(folder.path, words('--once', '--all', '--json'));
    await sleep(1500);
    await postgres.crash();
    const { code, stdout, stderr } = await running;
    assert.equal(code, 5, stdout + stderr);
    const { blind } = JSON.parse(stdout) as { blind: readonly { readonly cause: string }[] };
    assert.ok(blind.some(({ cause }) => cause === 'store'));
  });
});
