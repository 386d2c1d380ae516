import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Vault } from '../../src/core/vault.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { newestChain } from './chain-backup.ts';
import { backUp, testClock } from './memory-backup.ts';
import { startNaiveBackups } from './naive-backups.ts';
import type { TestPostgres } from './postgres.ts';
import { digestChain, killIncremental, takeIncremental } from './proof-run.ts';
import { EVENTCORE, type ProvenStore } from './proven-store.ts';
import { NAIVE_SCHEMA, type SlowWriterOptions, type SlowWriters, startSlowWriters } from './slow-writers.ts';

export interface ProofOptions
  extends Pick<SlowWriterOptions, 'writers' | 'maxDelayMs' | 'maxEventsPerInsert'> {
  /** Left out: one of EventCore. */
  readonly proven?: ProvenStore;
  /** The run ends when so many events were committed, */
  readonly events: number;
  /** and when so many incremental backups were taken, and one was killed, however slow the machine is. */
  readonly leastIncrementals?: number;
  /** Between two backups. */
  readonly pauseMs: number;
  /** Every so many backups one is killed at a random moment. */
  readonly killEvery: number;
  /** Milliseconds; a backup that has ended until then is not killed. */
  readonly killWithinMs: number;
  /** A new full backup begins a new chain after so many links. */
  readonly maxLinks: number;
  readonly onProgress?: (text: string) => void;
}

export interface ProofResult {
  readonly events: number;
  readonly incrementals: number;
  readonly killed: number;
  readonly fulls: number;
  /** Events that a naive incremental backup of each kind lost in the same run. */
  readonly naiveLost: Readonly<Record<string, number>>;
}

/**
 * Backs up incrementally while writers commit late, and kills backups in between. At the end, and whenever a chain ends, the
 * chain is the store, event for event. Throws when it is not.
 */
export async function proveIncrementals(
  server: TestPostgres,
  vaultPath: string,
  options: ProofOptions,
): Promise<ProofResult> {
  const { proven = EVENTCORE } = options;
  const address = await proven.make(server);
  const store = openPostgresStore(address);
  await server.exec(NAIVE_SCHEMA, new URL(address).pathname.slice(1));
  const naive = await startNaiveBackups(address, proven.naive);
  const vault = openDirectoryVault(vaultPath);
  const counts = { incrementals: 0, killed: 0, fulls: 1 };
  const { append, positions } = proven;
  const writers = await startAll([
    startSlowWriters({ address, append, positions, ...options }),
    ...(proven.alsoWrites === undefined ? [] : [proven.alsoWrites(address, options.maxDelayMs)]),
  ]);
  try {
    await backUp(store, vault);
    await naive.take();
    const { events: wanted, leastIncrementals = 1 } = options;
    const isEnough = () =>
      writers.committed() >= wanted && counts.incrementals >= leastIncrementals && counts.killed > 0;
    for (let round = 1; !isEnough(); round += 1) {
      await naive.take();
      if (round % options.killEvery === 0) {
        if ((await killIncremental(address, vaultPath, options.killWithinMs)) === 'killed')
          counts.killed += 1;
        else counts.incrementals += 1;
      } else {
        const outcome = await takeIncremental(store, vault);
        assert.equal(outcome.kind, 'taken', JSON.stringify(outcome));
        counts.incrementals += 1;
      }
      if ((await newestChain(vault)).length >= options.maxLinks) {
        await backUp(store, vault);
        counts.fulls += 1;
      }
      options.onProgress?.(
        `${writers.committed()} events, ${counts.incrementals} incrementals, ${counts.killed} killed`,
      );
      await sleep(options.pauseMs * Math.random());
    }
    await writers.stop();
    await naive.take();
    const outcome = await takeIncremental(store, vault);
    assert.equal(outcome.kind, 'taken', JSON.stringify(outcome));
    counts.incrementals += 1;
    const events = await compareRestored(server, vault, address, proven);
    return { events, ...counts, naiveLost: await naive.countLost() };
  } finally {
    await writers.stop().catch(() => undefined);
    await naive.close();
    await store.close();
    await vault.close();
  }
}

async function startAll(starting: readonly Promise<SlowWriters>[]): Promise<SlowWriters> {
  const all = await Promise.all(starting);
  return {
    committed: () => all.reduce((sum, { committed }) => sum + committed(), 0),
    stop: async () => {
      await Promise.all(all.map(({ stop }) => stop()));
    },
  };
}

/**
 * Digests add up over events: one that is lost, doubled or different in the chain shows, and so does the number of all. Then the chain is
 * restored, and rows are compared as the server has them.
 */
async function compareRestored(
  server: TestPostgres,
  vault: Vault,
  address: string,
  proven: ProvenStore,
): Promise<number> {
  const store = openPostgresStore(address);
  const empty = await proven.make(server);
  const target = openPostgresStore(empty);
  try {
    const held = await digestStore(store);
    const chain = await newestChain(vault);
    assert.deepEqual(await digestChain(vault, chain), held);
    const ports = { target, vault, clock: testClock };
    await restoreBackup(ports, chain, { replace: false, checkpoints: 'keep', parallel: 2 });
    const rowsOf = (where: string) => server.exec(proven.rows, new URL(where).pathname.slice(1));
    assert.deepEqual(await rowsOf(empty), await rowsOf(address));
    return held.events;
  } finally {
    await store.close();
    await target.close();
  }
}
