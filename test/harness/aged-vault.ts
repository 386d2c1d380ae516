import crypto from 'node:crypto';
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../src/core/clock.ts';
import type { Lease } from '../../src/core/lease.ts';
import type { RetentionRule } from '../../src/core/retention-rule.ts';
import { timeFromUnixMs } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import type { Writers } from '../../src/core/writers.ts';
import { type BundleSeal, makeSeal, type WriteKeys } from '../../src/format/bundle-seal.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { logFolder, logScope, parseLogName } from '../../src/format/log-name.ts';
import type { RetentionOptions } from '../../src/policy/retention.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import {
  applyPrune,
  type PruneOptions,
  type PrunePlan,
  type PruneReport,
  planPrune,
} from '../../src/upkeep/prune.ts';
import type { FactsOptions } from '../../src/upkeep/vault-facts.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental, grow } from './chain.ts';
import { datedVault } from './dated-vault.ts';
import { backUpModel, lsnText, MODEL_SOURCE, type ModelTransaction, writeModelLog } from './log-model.ts';
import { backUp } from './memory-backup.ts';

export const DAY = 86_400_000;
const HOUR = DAY / 24;
/** Twelve days end here. */
export const NOW = Date.UTC(2026, 9, 27, 14, 30);
const BEGIN = NOW - 12 * DAY;

/** Lets some of it go: backups and log. */
export const AGED_RULE: RetentionRule = { last: 2, logMs: 4 * DAY, minimumRedundancy: 1 };

/** Nobody competes. */
export const TEST_LEASE: Lease = { epoch: 1, assertHeld: () => {} };
export const TEST_WRITERS: Writers = { self: 'test', stateOf: () => 'unknown' };

/** A transaction every six hours, each with an event. */
const TRANSACTIONS: readonly ModelTransaction[] = Array.from({ length: 48 }, (_, i) => ({
  ...{ xid: 100n + BigInt(i), commit: 1000n + 10n * BigInt(i) },
  time: timeFromUnixMs(BEGIN + i * 6 * HOUR + HOUR),
  events: [
    {
      ...{ id: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`, streamId: 's' },
      ...{ version: i + 1, type: 'T', data: `${i}`, metadata: '{}', recordedAt: timeFromUnixMs(BEGIN) },
    },
  ],
})) as never;

export interface AgedVault {
  readonly vault: Vault;
  /** Ids by the days on which they were taken: of the server with a log, and of a store without one. */
  readonly logged: ReadonlyMap<number, string>;
  readonly chained: ReadonlyMap<number, string>;
}

/**
 * Twelve days of a vault: a log with a file a day and full backups of its server on some of them; chains of another store; what
 * a backup that died left.
 */
export async function makeAgedVault(inner: Vault = memoryVault(), keys?: WriteKeys): Promise<AgedVault> {
  let nowMs = BEGIN;
  let serial = 0;
  const clock: Clock = { now: () => nowMs, uuid: () => madeUpUuid(serial++) };
  const vault = datedVault(inner, (name) => endOfFile(name) ?? nowMs);
  const store = memoryStore();
  await store.initialise();
  const logged = new Map<number, string>();
  const chained = new Map<number, string>();
  for (let day = 0; day < 12; day += 1) {
    nowMs = BEGIN + day * DAY;
    if (day % 3 === 0) logged.set(day, await backUpServer(vault, day, clock));
    nowMs += HOUR;
    await grow(store, day * 3, 3);
    if (day === 1) await writeObject(vault, LEFTOVER, Buffer.from('left'));
    if ([1, 5, 9].includes(day))
      chained.set(day, (await backUp(store, vault, {}, undefined, clock)).manifest.backupId);
    else if (day > 1)
      chained.set(
        day,
        await addIncremental(store, vault, { parent: chained.get(day - 1)! }, undefined, clock),
      );
  }
  await writeLog(vault, keys);
  return { vault, logged, chained };
}

/** The same ones each time: documents show them. */
function madeUpUuid(serial: number): string {
  const digits = crypto.hash('sha256', `backup ${serial}`, 'hex');
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `4${digits.slice(12, 15)}`,
    `8${digits.slice(15, 18)}`,
    digits.slice(18, 30),
  ].join('-');
}

/** In a folder, whose files are as old as what they hold. */
export async function makeAgedFolder(path: string): Promise<AgedVault> {
  const inner = openDirectoryVault(path);
  await inner.open({ create: true });
  const aged = await makeAgedVault(inner);
  for await (const { name, modifiedAtMs } of aged.vault.list('')) {
    await utimes(join(path, name), modifiedAtMs / 1000, modifiedAtMs / 1000);
  }
  return aged;
}

export const LEFTOVER =
  'backups/full-backup-00000000-1111-4222-8333-444444444444.eventcore/events-00001.columns.zst';

/** The server's transactions of the days before it. */
function backUpServer(vault: Vault, day: number, clock: Clock): Promise<string> {
  const seen = TRANSACTIONS.slice(0, day * 4);
  const xid = 100n + BigInt(seen.length);
  const lsn = lsnText(positionOf(day));
  const cursor = { snapshot: `${xid}:${xid}:`, lsn, role: 'primary' } as const;
  return backUpModel(
    vault,
    seen.flatMap(({ events }) => events),
    cursor,
    clock,
  );
}

/** Where the log stands when a day begins, at which nothing is open. */
function positionOf(day: number): bigint {
  return 995n + 40n * BigInt(day);
}

function endOfDay(day: number): number {
  return BEGIN + (day + 1) * DAY - HOUR;
}

/** A file a day; with keys, one for three files, but that the second is used once more for the last. */
async function writeLog(vault: Vault, keys: WriteKeys | undefined): Promise<void> {
  const folder = logFolder(MODEL_SOURCE);
  const seals: BundleSeal[] = [];
  const about = {
    folder,
    scope: logScope(folder),
    createdAt: new Date(BEGIN).toISOString(),
    software: 'test',
  };
  for (let i = 0; i < (keys === undefined ? 0 : 4); i += 1) seals.push(await makeSeal(vault, keys!, about));
  const cuts = Array.from({ length: 12 }, (_, day) => ({
    ...{ transactions: (day + 1) * 4, to: positionOf(day + 1), endsFile: true },
    horizon: { position: positionOf(day), xid: TRANSACTIONS[day * 4]!.xid },
    asOf: timeFromUnixMs(endOfDay(day)),
    ...(keys === undefined ? {} : { seal: seals[day === 11 ? 1 : Math.floor(day / 3)]! }),
  }));
  await writeModelLog(vault, TRANSACTIONS, cuts, { from: positionOf(0) });
}

/** When a file of the log was written. */
function endOfFile(name: string): number | null {
  const to = parseLogName(name)?.to;
  return to === undefined ? null : endOfDay(Number((to - positionOf(1)) / 40n));
}

export function planAged(
  vault: Vault,
  rule: RetentionRule,
  options: Partial<FactsOptions> & Partial<RetentionOptions> = {},
): Promise<PrunePlan> {
  return planPrune(vault, { rule, nowMs: NOW, writers: TEST_WRITERS, archive: null, ...options });
}

export async function pruneAged(
  vault: Vault,
  rule: RetentionRule,
  { graceMs, ...options }: Partial<PruneOptions> & { graceMs?: number } = {},
): Promise<PruneReport> {
  const plan = await planAged(vault, rule, graceMs === undefined ? {} : { graceMs });
  return applyPrune(vault, plan, { lease: TEST_LEASE, ...options });
}

/** Names of all objects. */
export async function allNames(vault: Vault): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list('')) names.push(name);
  return names;
}

/** Another vault with the same objects, as old as they are. */
export async function copyVault(vault: Vault): Promise<Vault> {
  let nowMs = 0;
  const copy = datedVault(memoryVault(), () => nowMs);
  for await (const { name, sizeBytes, modifiedAtMs } of vault.list('')) {
    nowMs = modifiedAtMs;
    await writeObject(copy, name, await vault.readRange(name, 0, sizeBytes));
  }
  return copy;
}

export async function idsIn(vault: Vault): Promise<string[]> {
  return (await readCatalog(vault)).backups.map(({ manifest }) => manifest.backupId);
}
