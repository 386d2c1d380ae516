import { BackupError, isBackupError, throwIfAborted } from '../core/errors.ts';
import type { Lease } from '../core/lease.ts';
import type { Vault } from '../core/vault.ts';
import { attemptName } from '../format/attempt-codec.ts';
import { MANIFEST_NAME } from '../format/bundle.ts';
import type { Catalog, CatalogEntry } from '../format/catalog.ts';
import { parseKeyRecordName } from '../format/key-record.ts';
import { planRetention, type RetentionOptions, type RetentionPlan } from '../policy/retention.ts';
import type { Decision } from '../policy/retention-facts.ts';
import type { LogPlan } from '../policy/retention-log.ts';
import { planRecords, type RecordFacts } from '../policy/verified-memory.ts';
import { type Lookout, makeLookout, putBack } from './lookout.ts';
import { type FactsOptions, surveyVault } from './vault-facts.ts';

export interface PrunePlan extends RetentionPlan {
  readonly catalog: Catalog;
  /** Of verifications. */
  readonly records: readonly Decision<RecordFacts>[];
  /** When it was made. */
  readonly nowMs: number;
}

/** What would be removed from a vault, and why. Changes nothing. */
export async function planPrune(vault: Vault, options: FactsOptions & RetentionOptions): Promise<PrunePlan> {
  const survey = await surveyVault(vault, { ...options, readsKeyUse: true });
  const { facts, catalog } = survey;
  const plan = planRetention(facts, options.rule, options);
  const records = survey.records.map(
    ({ info: { name, sizeBytes }, record }): RecordFacts => ({
      name,
      sizeBytes,
      units: record?.units ?? null,
    }),
  );
  const decided = planRecords(records, catalog.backups, facts.logs, options.nowMs);
  return { ...plan, records: whileStopped(plan, decided), catalog, nowMs: options.nowMs };
}

function whileStopped(
  { stopped }: RetentionPlan,
  records: readonly Decision<RecordFacts>[],
): readonly Decision<RecordFacts>[] {
  if (stopped === null) return records;
  return records.map((record) =>
    record.kept ? record : { ...record, kept: true, reasons: [stopped.message] },
  );
}

export interface PruneOptions {
  /** Held since before the plan was made. */
  readonly lease: Lease;
  readonly signal?: AbortSignal | undefined;
  /** Each object, once it is gone. */
  readonly onRemoved?: (name: string) => void;
}

export interface PruneReport {
  /** Ids. */
  readonly backups: readonly string[];
  readonly objects: number;
  readonly bytes: number;
  /** Objects that the vault did not let go. */
  readonly refused: readonly { readonly name: string; readonly message: string }[];
  /** What was to go and stays, since something changed after the plan was made, or since something that needs it stays. */
  readonly spared: readonly { readonly name: string; readonly reason: string }[];
}

interface Run extends PruneOptions {
  readonly vault: Vault;
  readonly lookout: Lookout;
  readonly backups: string[];
  objects: number;
  bytes: number;
  readonly refused: { name: string; message: string }[];
  readonly spared: { name: string; reason: string }[];
}

/**
 * Removes what the plan lets go: leftovers, then backups, chain by chain, the newest of each first, then the log from its oldest
 * file on, then needless records of verifications. A manifest goes before its files, so whatever it dies at, a backup is whole or none; the next run goes on. Throws
 * `would_overwrite` where the plan is stopped or the vault was frozen since, and `lease_held`.
 */
export async function applyPrune(vault: Vault, plan: PrunePlan, options: PruneOptions): Promise<PruneReport> {
  if (plan.stopped !== null) throw refuseToPrune(plan.stopped.message, plan.stopped.kind);
  const run: Run = {
    ...{ ...options, vault, lookout: makeLookout(vault, plan.catalog, plan.nowMs) },
    ...{ backups: [], objects: 0, bytes: 0, refused: [], spared: [] },
  };
  for (const { item, kept } of plan.unfinished) {
    if (!kept) await removeUnfinished(run, item.folder, item.modifiedAtMs);
  }
  const gone = new Set(plan.backups.filter(({ kept }) => !kept).map(({ item }) => item.backupId));
  const entries = plan.catalog.backups.filter(({ manifest }) => gone.has(manifest.backupId));
  const chains = Map.groupBy(entries, ({ manifest }) => manifest.chain?.baseId ?? manifest.backupId);
  for (const chain of chains.values()) await removeFromChain(run, chain);
  for (const log of plan.logs) await removeLog(run, log);
  await removeRecords(run, plan.records);
  const { backups, objects, bytes, refused, spared } = run;
  return { backups, objects, bytes, refused, spared };
}

const WAYS_OUT = {
  frozen: '`eventcore freeze off` ends that, once nothing of it is needed any more',
  clock:
    'correct the clock of this host; if it is right, --trust-clock keeps what is from the future and prunes the rest',
} as const;

function refuseToPrune(message: string, kind: keyof typeof WAYS_OUT): BackupError {
  return new BackupError('would_overwrite', `nothing was removed: ${message}`, { hint: WAYS_OUT[kind] });
}

/**
 * Wherever it stops, what is left has no manifest. A backup that takes up an attempt writes word of that, then looks for the first
 * one's; here that goes first, and then it is looked whether there is something new.
 */
async function removeUnfinished(run: Run, folder: string, modifiedAtMs: number): Promise<void> {
  const objects = await listFolder(run.vault, folder);
  const names = new Set(objects.map(({ name }) => name));
  const isNew = (object: Listed): boolean => object.modifiedAtMs > modifiedAtMs || !names.has(object.name);
  if (names.has(folder + MANIFEST_NAME) || objects.some(isNew)) return spareWritten(run, folder);
  const first = objects.filter(({ name }) => name === folder + attemptName(1));
  await removeAll(run, first);
  if (first.length > 0 && (await listFolder(run.vault, folder)).some(isNew)) return spareWritten(run, folder);
  await removeAll(
    run,
    objects.filter((object) => !first.includes(object)),
  );
}

function spareWritten({ spared }: Run, name: string): void {
  spared.push({ name, reason: 'it was written to since' });
}

/** First all manifests, children before parents; then, if nothing came to need one of them, what they stood for. */
async function removeFromChain(run: Run, entries: readonly CatalogEntry[]): Promise<void> {
  const { vault, lookout, spared } = run;
  await refuseWhenFrozen(run);
  const why = await lookout.whyNeeded(entries);
  if (why !== null) {
    for (const { folder } of entries) spared.push({ name: folder, reason: why });
    return;
  }
  const gone: CatalogEntry[] = [];
  const needed = new Set<string>();
  for (const entry of entries.toSorted((a, b) => lengthOf(b) - lengthOf(a))) {
    const { backupId, parentId } = entry.manifest;
    const info = await vault.stat(entry.folder + MANIFEST_NAME);
    const isNeeded = needed.has(backupId);
    if (isNeeded) spared.push({ name: entry.folder, reason: 'what builds on it could not be removed' });
    const isGone = !isNeeded && (info === null || (await removeOne(run, info)));
    if (isGone) gone.push(entry);
    else if (parentId !== null) needed.add(parentId);
  }
  const now = await lookout.whyNeeded(gone);
  if (now !== null) {
    await putBack(vault, gone);
    for (const { folder } of gone) spared.push({ name: folder, reason: `${now}; it was put back` });
    return;
  }
  for (const { folder, manifest } of gone) {
    const objects = await listFolder(vault, folder);
    const isKey = ({ name }: Listed): boolean => parseKeyRecordName(name.slice(folder.length)) !== null;
    await removeAll(run, [...objects.filter((object) => !isKey(object)), ...objects.filter(isKey)]);
    run.backups.push(manifest.backupId);
  }
}

function lengthOf({ manifest }: CatalogEntry): number {
  return manifest.chain?.length ?? 1;
}

async function refuseWhenFrozen({ lookout }: Run): Promise<void> {
  const frozen = await lookout.whyFrozen();
  if (frozen !== null)
    throw refuseToPrune(`frozen: ${frozen}; what was removed before that is gone`, 'frozen');
}

/** What cannot be removed ends it: a log gets no hole. */
async function removeLog(run: Run, { objects }: LogPlan): Promise<void> {
  const gone = objects.filter(({ kept }) => !kept);
  if (gone.length === 0) return;
  await refuseWhenFrozen(run);
  for (const { item } of gone) if (!(await removeOne(run, item))) return;
}

/**
 * What was planned holds for good: nothing that a newer record says is unsaid. Where records are locked they wait: they are small, and
 * new ones become needless every day.
 */
async function removeRecords(run: Run, records: readonly Decision<RecordFacts>[]): Promise<void> {
  const gone = records.filter(({ kept }) => !kept).map(({ item }) => item);
  if (gone.length === 0) return;
  await refuseWhenFrozen(run);
  for (const item of gone) {
    if (await removeOne(run, item)) continue;
    run.refused.pop();
    return;
  }
}

interface Listed {
  readonly name: string;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
}

async function listFolder(vault: Vault, folder: string): Promise<Listed[]> {
  const objects: Listed[] = [];
  for await (const object of vault.list(folder)) objects.push(object);
  return objects;
}

async function removeAll(run: Run, objects: readonly Listed[]): Promise<void> {
  for (const object of objects) await removeOne(run, object);
}

/** False where the vault refuses: a lock that has not ended is no failure of the run. */
async function removeOne(
  run: Run,
  { name, sizeBytes }: Pick<Listed, 'name' | 'sizeBytes'>,
): Promise<boolean> {
  throwIfAborted(run.signal);
  run.lease.assertHeld();
  try {
    await run.vault.removeObject(name);
  } catch (error) {
    if (!isBackupError(error, 'vault_refused')) throw error;
    run.refused.push({ name, message: error.message });
    return false;
  }
  run.objects += 1;
  run.bytes += sizeBytes;
  run.onRemoved?.(name);
  return true;
}
