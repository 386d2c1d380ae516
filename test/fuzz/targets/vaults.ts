import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findAttempts, planRest } from '../../../src/backup/attempts.ts';
import { backupDocument } from '../../../src/cli/backup/names.ts';
import { chainLines, listBackups } from '../../../src/cli/render/chains.ts';
import { BackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { type Catalog, readCatalog } from '../../../src/format/catalog.ts';
import { type Chain, followChain, isBroken } from '../../../src/format/chain.ts';
import { findHeads } from '../../../src/format/find-heads.ts';
import { readLogCatalog } from '../../../src/format/log-catalog.ts';
import { lastBlock } from '../../../src/format/log-reader.ts';
import { verifyChains } from '../../../src/integrity/verify/chains.ts';
import { verifyLog } from '../../../src/integrity/verify/log.ts';
import { planRecovery } from '../../../src/recovery/plan-recovery.ts';
import { restoreBackup } from '../../../src/recovery/restore.ts';
import { surveyLogs } from '../../../src/recovery/survey.ts';
import { memoryStore } from '../../../src/stores/memory/store.ts';
import { testClock } from '../../harness/memory-backup.ts';
import { openPacked, packVault } from '../engine/packed-vault.ts';
import type { FuzzTarget } from '../engine/target.ts';
import { reshapeBackups } from './reshape-backups.ts';
import { reshapeLog } from './reshape-log.ts';
import { plainLog, sampleLog } from './sample-logs.ts';

const VECTORS = join(import.meta.dirname, '../../vectors/v1');

function goldenVault(folder: string): Uint8Array {
  const names = globSync('**/*.*', { cwd: join(VECTORS, folder) })
    .filter((name) => name.includes('/') && !name.endsWith('.eventcore'))
    .sort();
  const files = names.filter((name) => /\.(?:json|index|zst|gz|jsonl|msgpack|columns|log|gap)$/.test(name));
  return packVault(new Map(files.map((name) => [name, readFileSync(join(VECTORS, folder, name))])));
}

/** What every command refuses a vault with. */
const REFUSALS = ['damaged', 'store_unsupported', 'log_gap', 'no_restore_point', 'no_backups'] as const;

export async function refusedOr<Value>(work: () => Promise<Value>): Promise<Value | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BackupError && (REFUSALS as readonly string[]).includes(error.code)) return null;
    throw error;
  }
}

const hostileLog: FuzzTarget = {
  name: 'hostile-log',
  refusals: [],
  seeds: async () => [await sampleLog(), await plainLog(), goldenVault('log')],
  reshape: reshapeLog,
  run: async (input) => {
    const vault = await openPacked(input);
    const timelines = await readLogCatalog(vault);
    let isSound = timelines.length > 0;
    for (const timeline of timelines) {
      // What is damaged in a log is reported, not thrown.
      const { problems } = await verifyLog(vault, timeline, { quick: false });
      if (problems.length > 0) isSound = false;
      await verifyLog(vault, timeline, { quick: true });
      await refusedOr(() => lastBlock(vault, timeline));
    }
    const catalog = await readCatalog(vault);
    await surveyLogs(vault, catalog, timelines);
    for (const target of [
      { kind: 'latest' },
      { kind: 'time', time: 5n },
      { kind: 'position', position: 45n },
    ] as const) {
      await refusedOr(() => planRecovery({ vault, catalog, timelines }, target));
    }
    return isSound;
  },
};

const hostileBackups: FuzzTarget = {
  name: 'hostile-backups',
  refusals: [],
  seeds: () => ['chain', 'bundles', 'bundles-with-templates'].map(goldenVault),
  reshape: reshapeBackups,
  run: async (input) => {
    const vault = await openPacked(input);
    const catalog = await readCatalog(vault);
    JSON.stringify(catalog.backups.map(({ manifest }) => backupDocument(manifest)));
    chainLines(listBackups(catalog, new Map()), (_, text) => text);
    for (const { runs, names } of await findAttempts(vault)) if (runs !== null) planRest(runs, names);
    await surveyLogs(vault, catalog, []);
    const checks = { quick: false, parallel: 1 };
    const verified = await verifyChains({ vault, clock: testClock }, catalog, catalog.backups, checks);
    for (const chain of chainsOf(catalog)) await useChain(vault, chain);
    return verified.length > 0 && verified.every(({ verification }) => verification.overallValid);
  },
};

function chainsOf(catalog: Catalog): Chain[] {
  return catalog.backups.flatMap((entry) => {
    const chain = followChain(catalog, entry);
    return isBroken(chain) ? [] : [chain];
  });
}

async function useChain(vault: Vault, chain: Chain): Promise<void> {
  await refusedOr(() => findHeads(vault, chain, [Buffer.from('account-1'), Buffer.from('\xff', 'latin1')]));
  const options = { replace: false, checkpoints: 'keep', parallel: 1 } as const;
  const target = memoryStore();
  await refusedOr(() => restoreBackup({ target, vault, clock: testClock }, chain, options));
}

export const VAULT_TARGETS: readonly FuzzTarget[] = [hostileLog, hostileBackups];
