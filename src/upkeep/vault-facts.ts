import type { RetentionRule } from '../core/retention-rule.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import type { ObjectInfo, Vault } from '../core/vault.ts';
import type { Writers } from '../core/writers.ts';
import { decodeAttempt, MAX_ATTEMPT_BYTES, parseAttemptName } from '../format/attempt-codec.ts';
import { BACKUPS_PREFIX, MANIFEST_NAME } from '../format/bundle.ts';
import {
  type Catalog,
  type CatalogEntry,
  type DamagedEntry,
  readCatalog,
  type UnfinishedEntry,
} from '../format/catalog.ts';
import { type Chain, followChain, isBroken } from '../format/chain.ts';
import { type Hold, readFreezes, readHolds } from '../format/keep-marks.ts';
import { parseKeyRecordName } from '../format/key-record.ts';
import { type LogTimeline, readLogCatalog } from '../format/log-catalog.ts';
import { gapFileName, LOG_PREFIX } from '../format/log-name.ts';
import { MAX_MANIFEST_BYTES } from '../format/manifest-codec.ts';
import { readVerified, type StoredVerified } from '../format/verified-record.ts';
import { windowFor } from '../policy/retention.ts';
import {
  type ArchiveFacts,
  type BackupFacts,
  type DamagedFacts,
  type HoldFacts,
  isUsable,
  type LogFacts,
  type LogStart,
  type UnfinishedFacts,
  type VaultFacts,
} from '../policy/retention-facts.ts';
import { foldVerified, stateOfBackup, type VerifiedMemory } from '../policy/verified-memory.ts';
import { readSoundSpan } from '../recovery/survey.ts';
import { withKeyUse } from './key-use.ts';
import { firstStart, type PlacedSpan } from './log-starts.ts';

export interface FactsOptions {
  readonly rule: RetentionRule;
  readonly nowMs: number;
  readonly writers: Writers;
  readonly archive: ArchiveFacts | null;
  /** Headers of sealed logs are read too, to tell which keys seal nothing any more. */
  readonly readsKeyUse?: boolean;
  /** By the vault's clock; left out: its clock and this host's are not compared. */
  readonly vaultNowMs?: number;
}

export interface VaultSurvey {
  readonly facts: VaultFacts;
  readonly catalog: Catalog;
  /** What is remembered of verifications. */
  readonly records: readonly StoredVerified[];
}

/** All that retention needs to know of a vault. Reads manifests, and of logs a few headers. */
export async function surveyVault(vault: Vault, options: FactsOptions): Promise<VaultSurvey> {
  const { nowMs, rule, writers, archive } = options;
  const [freeze] = await readFreezes(vault);
  const holds = (await readHolds(vault)).map(asHoldFacts);
  const catalog = await readCatalog(vault);
  const records = await readVerified(vault);
  const memory = foldVerified(
    records.flatMap(({ record }) => record?.units ?? []),
    nowMs,
  );
  const backups = catalog.backups.map((entry) => asBackupFacts(catalog, entry, memory));
  const damaged: DamagedFacts[] = [];
  for (const entry of catalog.damaged) damaged.push(await readDamaged(vault, entry));
  const unfinished: UnfinishedFacts[] = [];
  for (const entry of catalog.unfinished) unfinished.push(await readUnfinished(vault, entry, writers));
  const objects = await listAll(vault, [BACKUPS_PREFIX, LOG_PREFIX]);
  const { logs, spans } = await readLogs(vault, objects);
  const facts: VaultFacts = {
    ...{ backups, damaged, unfinished, holds, archive, logs },
    frozen: freeze?.reason ?? null,
    vaultNowMs: options.vaultNowMs ?? null,
    newestObjectMs: objects.reduce<number | null>(
      (newest, { modifiedAtMs }) => Math.max(newest ?? 0, modifiedAtMs),
      null,
    ),
  };
  const starts = await readStarts(vault, catalog, facts, spans, { rule, nowMs });
  const carried = backups.map((backup) => ({ ...backup, carriedBy: starts.get(backup.backupId) ?? [] }));
  const found = { ...facts, backups: carried };
  if (options.readsKeyUse !== true) return { facts: found, catalog, records };
  const used = await withKeyUse(vault, found, windowFor(found, rule, nowMs), nowMs);
  return { facts: { ...found, logs: used }, catalog, records };
}

function asHoldFacts({ id, backupId, reason, until }: Hold): HoldFacts {
  return { holdId: id, backupId, reason, untilMs: until === null ? null : unixMs(until) };
}

function unixMs(time: string): number {
  return timeToUnixMs(parseTime(time) ?? 0n);
}

function asBackupFacts(catalog: Catalog, entry: CatalogEntry, memory: VerifiedMemory): BackupFacts {
  const { backupId, kind, parentId, createdAt, sizeBytes, chain: link } = entry.manifest;
  const chain = followChain(catalog, entry);
  return {
    ...{ backupId, kind, parentId, sizeBytes, folder: entry.folder },
    baseId: link?.baseId ?? backupId,
    createdAtMs: unixMs(createdAt),
    isWhole: !isBroken(chain),
    verified: verdictOn(isBroken(chain) ? [entry] : chain, memory),
    carriedBy: [],
  };
}

/** A backup is as sound as what it builds on. */
function verdictOn(chain: Chain, memory: VerifiedMemory): boolean | null {
  const verdicts = chain.map((link) => stateOfBackup(memory, link).isSound);
  if (verdicts.includes(false)) return false;
  return verdicts.includes(null) ? null : true;
}

/** Guesses at what it builds on: that must stay, in case it is mended. */
async function readDamaged(
  vault: Vault,
  { folder, backupId, kind, code }: DamagedEntry,
): Promise<DamagedFacts> {
  const name = folder + MANIFEST_NAME;
  const info = await vault.stat(name);
  const isReadable = info !== null && info.sizeBytes <= MAX_MANIFEST_BYTES;
  const text = isReadable ? Buffer.from(await vault.readRange(name, 0, info.sizeBytes)).toString('utf8') : '';
  const [, parentId = null] = /"parentId": ?"([0-9a-f-]{36})"/.exec(text) ?? [];
  return { backupId, folder, kind, parentId, isUnknownFormat: code === 'format_unknown' };
}

/** Only full backups that are not sealed leave word of who writes them. */
async function readUnfinished(
  vault: Vault,
  { folder, backupId, kind, sizeBytes, modifiedAtMs }: UnfinishedEntry,
  writers: Writers,
): Promise<UnfinishedFacts> {
  let newest: { readonly number: number; readonly info: ObjectInfo } | null = null;
  for await (const info of vault.list(`${folder}attempt-`)) {
    const number = parseAttemptName(info.name.slice(folder.length));
    if (number !== null && number > (newest?.number ?? 0)) newest = { number, info };
  }
  const isSmall = newest !== null && newest.info.sizeBytes <= MAX_ATTEMPT_BYTES;
  const attempt = isSmall
    ? decodeAttempt(await vault.readRange(newest!.info.name, 0, newest!.info.sizeBytes))
    : null;
  const isAtWork =
    attempt !== null && (attempt.writer === writers.self || writers.stateOf(attempt.writer) === 'alive');
  return { backupId, folder, kind, sizeBytes, modifiedAtMs, isAtWork };
}

async function listAll(vault: Vault, prefixes: readonly string[]): Promise<ObjectInfo[]> {
  const objects: ObjectInfo[] = [];
  for (const prefix of prefixes) for await (const object of vault.list(prefix)) objects.push(object);
  return objects;
}

async function readLogs(
  vault: Vault,
  objects: readonly ObjectInfo[],
): Promise<{ logs: LogFacts[]; spans: PlacedSpan[] }> {
  const logs: LogFacts[] = [];
  const spans: PlacedSpan[] = [];
  for (const timeline of await readLogCatalog(vault)) {
    const known: LogFacts['spans'][number][] = [];
    for (const [place, span] of timeline.spans.entries()) {
      const { facts, damage } = await readSoundSpan(vault, timeline, span);
      if (facts !== null) spans.push({ place, facts });
      known.push({
        files: span.files,
        untilMs: facts === null || damage !== null ? null : timeToUnixMs(facts.until),
      });
    }
    logs.push(asLogFacts(timeline, known, objects));
  }
  return { logs, spans };
}

function asLogFacts(
  { folder, covered, gaps, quiet }: LogTimeline,
  spans: LogFacts['spans'],
  objects: readonly ObjectInfo[],
): LogFacts {
  const own = objects.filter(({ name }) => name.startsWith(folder));
  const sizes = new Map(own.map(({ name, sizeBytes }) => [name, sizeBytes]));
  const nameOf = ({ from, to }: { from: bigint; to: bigint }): string => folder + gapFileName(from, to);
  return {
    ...{ folder, spans, covered },
    marks: quiet.map(({ at, ...mark }) => ({ ...mark, from: at, to: at })),
    gaps: gaps.map(({ from, to }) => ({
      name: nameOf({ from, to }),
      from,
      to,
      sizeBytes: sizes.get(nameOf({ from, to })) ?? 0,
    })),
    keyRecords: own
      .filter(({ name }) => parseKeyRecordName(name.slice(folder.length)) !== null)
      .map(({ name, sizeBytes }) => ({ name, sizeBytes, files: null })),
  };
}

/**
 * Where logs are read from to carry on the backups that may have to begin their windows: of each run the newest that was taken
 * before the window, or the oldest after its begin. To ask this of all backups would be to read most of the log.
 */
async function readStarts(
  vault: Vault,
  catalog: Catalog,
  facts: VaultFacts,
  spans: readonly PlacedSpan[],
  { rule, nowMs }: Pick<FactsOptions, 'rule' | 'nowMs'>,
): Promise<Map<string, LogStart[]>> {
  const window = windowFor(facts, rule, nowMs);
  if (window === null) return new Map();
  const usable = new Set(
    facts.backups.filter((backup) => isUsable(backup, nowMs)).map(({ backupId }) => backupId),
  );
  const entries = catalog.backups.filter(({ manifest }) => usable.has(manifest.backupId));
  const beginMs = window.startMs - window.slackMs;
  const after = entries.findIndex(({ manifest }) => unixMs(manifest.createdAt) > beginMs);
  const split = after === -1 ? entries.length : after;
  const starts = new Map<string, LogStart[]>();
  for (const span of spans) {
    if (timeToUnixMs(span.facts.until) < window.startMs) continue;
    const found =
      (await firstStart(vault, entries.slice(0, split).reverse(), span)) ??
      (await firstStart(vault, entries.slice(split), span));
    if (found === null) continue;
    starts.set(found.backupId, [...(starts.get(found.backupId) ?? []), found.start]);
  }
  return starts;
}
