import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Cluster, startCluster } from './clusters.ts';
import { type Ran, runCommand, startCommand, withStoreAt } from './command.ts';
import type { TestPostgres } from './postgres.ts';

/** A primary in the east, its standby in the west, a vault in each, and the configuration that names them. */
export interface DisasterWorld {
  readonly folder: string;
  readonly east: TestPostgres;
  readonly west: TestPostgres;
  address(server: TestPostgres): string;
  append(server: TestPostgres, count: number, streamId?: string): Promise<void>;
  count(server: TestPostgres): Promise<number>;
  /** Whether an application is let in, which is nobody's superuser. */
  letsIn(server: TestPostgres): Promise<boolean>;
  /** Until the standby has all that the primary has. */
  caughtUp(): Promise<void>;
  run(...words: string[]): Promise<Ran>;
  start(...words: string[]): ChildProcess;
  succeed(...words: string[]): Promise<Ran>;
  /** Makes a plan, of which it gives the command that approves it, word by word. */
  plan(...words: string[]): Promise<string[]>;
  /** Whether the operator's own fence of the east was asked for. */
  wasFenced(): boolean;
  stop(): Promise<void>;
}

const DATABASE = 'events';
/** These servers trust everybody; what holds of it is that nobody sees it. */
export const PASSWORD = 'hidden-word';

function withPassword(address: string): string {
  return address.replace('postgres@', `postgres:${PASSWORD}@`);
}

const PARENT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Says that the machine is off, once it was switched off. */
const SWITCH = `case "$1" in apply) touch off ;; check) test -e off ;; esac`;

export async function makeDisasterWorld(extra = ''): Promise<DisasterWorld> {
  const cluster = await startCluster();
  const folder = mkdtempSync(join(PARENT, 'disaster-'));
  const { primary: east } = cluster;
  const west = cluster.standbys[0]!;
  await east.createDatabase(DATABASE);
  const address = (server: TestPostgres): string => server.address(DATABASE);
  await withStoreAt(address(east), (store) => store.initialise());
  await east.exec('CREATE ROLE app LOGIN');
  writeFileSync(join(folder, 'switch.sh'), SWITCH);
  writeFileSync(
    join(folder, 'eventcore.config.yaml'),
    configOf({
      east: withPassword(address(east)),
      west: withPassword(address(west)),
      rejoin: rejoinOf(east),
      extra,
    }),
  );
  const run: DisasterWorld['run'] = (...words) => runCommand(folder, words);
  const world: DisasterWorld = {
    ...{ folder, east, west, address, run },
    append: (server, count, streamId = 'order-1') => {
      const events = Array.from({ length: count }, (_, n) => ({ type: 'Added', data: `{"n":${n}}` }));
      return withStoreAt(address(server), async (store) => void (await store.append([{ streamId, events }])));
    },
    count: async (server) => {
      const [row] = await server.exec('SELECT count(*)::int AS n FROM eventcore_events', DATABASE);
      return Number(row!.n);
    },
    letsIn: async (server) => {
      const client = new pg.Client({ connectionString: server.address(DATABASE, 'app') });
      try {
        await client.connect();
        return true;
      } catch {
        return false;
      } finally {
        await client.end();
      }
    },
    caughtUp: () => catchUp(cluster),
    start: (...words) => startCommand(folder, words),
    succeed: async (...words) => {
      const ran = await run(...words);
      assert.equal(ran.code, 0, `${words.join(' ')}: ${ran.stdout}${ran.stderr}`);
      return ran;
    },
    plan: async (...words) => {
      const { stdout } = await world.succeed('dr', 'plan', '--json', ...words);
      const { approve } = JSON.parse(stdout) as { approve: string };
      return approve.split(' ').slice(1);
    },
    wasFenced: () => existsSync(join(folder, 'off')),
    stop: async () => {
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return world;
}

interface Configured {
  readonly east: string;
  readonly west: string;
  readonly rejoin: string;
  readonly extra: string;
}

/** On this host, with the programs that the server was started with. */
function rejoinOf({ dataDir, binDir }: TestPostgres): string {
  return `{ data: "${dataDir}", bin: "${binDir}" }`;
}

function configOf({ east, west, rejoin, extra }: Configured): string {
  return `
store: ${east}
vault: ./east
disaster:
  probe_timeout: 2s
  lock_ttl: 5s
  regions:
    - { region: east, vault: ./east, servers: ["${east}"], fence: [postgres, { command: [sh, switch.sh] }], rejoin: ${rejoin} }
    - { region: west, vault: ./west, servers: ["${west}"], fence: [postgres] }
${extra}`;
}

async function catchUp({ primary, standbys }: Cluster): Promise<void> {
  const [row] = await primary.exec('SELECT pg_current_wal_flush_lsn() AS lsn');
  for (;;) {
    const [at] = await standbys[0]!.exec(`SELECT pg_last_wal_replay_lsn() >= '${row!.lsn}'::pg_lsn AS done`);
    if (at!.done === true) return;
    await sleep(20);
  }
}
