import type { StepFacts } from '../../core/disaster.ts';
import type { RestoreRequest, Restorer } from '../../core/disaster-ports.ts';
import { BackupError, type ErrorCode, isBackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import { parseTime } from '../../core/time.ts';
import type { Vault } from '../../core/vault.ts';
import { withDeadline } from '../../disaster/deadline.ts';
import type { RestoreReport } from '../../recovery/restore.ts';
import { isSameStore, redactAddress } from '../address.ts';
import { chooseParallel } from '../arguments.ts';
import type { CommandContext } from '../context.ts';
import { findPoint, openFound, restoreToPoint } from '../restore/point.ts';
import type { RecallFlags } from '../restore/recalls.ts';
import type { ChosenPoint } from '../restore/recovery-target.ts';
import { threadHands } from '../threads/parallel-work.ts';
import { systemClock } from '../wire.ts';
import { contextUntil, type DrWork, drVault, fullStoreAddress, withDrStore } from './restore-places.ts';

export interface DrRestorerOptions {
  /** Waits for what lies in an archive tier, which may take hours; else it is asked for, and the step fails for now. */
  readonly waitForArchive: boolean;
}

export function drRestorer(work: DrWork, options: DrRestorerOptions): Restorer {
  return {
    restore: (request, { signal }) =>
      withDrStore(work, request.to, signal, (target, to) =>
        restoreFromBest(work, { request, options, target, to, context: contextUntil(work.context, signal) }),
      ),
    refuse: (shown, { signal }) => whyNotInto(work, shown, signal),
  };
}

interface Restoring {
  readonly request: RestoreRequest;
  readonly options: DrRestorerOptions;
  readonly target: EventStore;
  readonly to: string;
  readonly context: CommandContext;
}

/** What is wrong with one vault, and may not be with the next. */
const OF_THE_VAULT: readonly ErrorCode[] = [
  ...(['vault_unreachable', 'vault_refused', 'vault_object_missing', 'object_archived'] as const),
  ...(['damaged', 'verification_failed', 'backup_not_found', 'no_backups', 'no_restore_point'] as const),
  ...(['log_gap', 'key_missing', 'key_wrong', 'key_refused', 'key_unreachable'] as const),
  ...(['signature_invalid', 'action_failed'] as const),
];

interface PassedOver {
  readonly address: string;
  readonly error: BackupError;
}

interface Source {
  readonly vault: Vault;
  readonly point: ChosenPoint;
}

/** From the vault that reaches furthest, of those that reach as far from the first one. What others lacked is told. */
async function restoreFromBest(work: DrWork, restoring: Restoring): Promise<StepFacts> {
  const passedOver: PassedOver[] = [];
  const trying = async <Result>(address: string, attempt: () => Promise<Result>): Promise<Result | null> => {
    try {
      return await attempt();
    } catch (error) {
      if (!isBackupError(error, ...OF_THE_VAULT)) throw error;
      restoring.context.log.warn(`nothing can be restored from ${address}: ${error.message}`);
      passedOver.push({ address, error });
      return null;
    }
  };
  const sources: Source[] = [];
  for (const address of restoring.request.vaults) {
    const source = await trying(address, () => findInTime(work, address, restoring));
    if (source !== null) sources.push(source);
  }
  for (const source of sources.toSorted((a, b) => compareReach(b, a))) {
    const facts = await trying(source.vault.address, () => restoreFrom(work, source, restoring, {}));
    if (facts !== null) return { ...facts, ...passedOverFacts(passedOver) };
  }
  const facts = restoring.options.waitForArchive ? await restoreArchived(work, restoring, passedOver) : null;
  if (facts !== null) return facts;
  throw worstOf(passedOver);
}

const WAITS = { waitForArchive: true } as const;

/** Where nothing else is left, hours are waited for what lies in an archive. */
async function restoreArchived(
  work: DrWork,
  restoring: Restoring,
  passedOver: readonly PassedOver[],
): Promise<StepFacts | null> {
  const archived = passedOver.find(({ error }) => error.code === 'object_archived');
  if (archived === undefined) return null;
  const source = await findSource(work, archived.address, restoring, WAITS);
  const facts = await restoreFrom(work, source, restoring, WAITS);
  return {
    ...facts,
    ...passedOverFacts(passedOver.filter((one) => one !== archived)),
    waitedForArchive: true,
  };
}

/** A vault of a lost region may say nothing at all; one that is large takes a while to be looked through. */
const FIND_MS = 300_000;

function findInTime(work: DrWork, address: string, restoring: Restoring): Promise<Source> {
  return withDeadline(`looking through ${address}`, FIND_MS, restoring.context.signal, (signal) =>
    findSource(work, address, { ...restoring, context: contextUntil(restoring.context, signal) }, {}),
  );
}

async function findSource(
  work: DrWork,
  address: string,
  { request, context }: Restoring,
  waits: RecallFlags,
): Promise<Source> {
  const vault = await drVault(work, address);
  return { vault, point: await findPoint(context, vault, { ...pointFlags(request), ...waits }, work.keys) };
}

function reachedTime({ chain, recovery }: ChosenPoint): string {
  return recovery?.reached.time ?? chain.at(-1)!.manifest.createdAt;
}

/** Positive where the first one reaches further. */
function compareReach(a: Source, b: Source): number {
  const [first, second] = [parseTime(reachedTime(a.point)) ?? 0n, parseTime(reachedTime(b.point)) ?? 0n];
  return first === second ? 0 : first > second ? 1 : -1;
}

function passedOverFacts(passedOver: readonly PassedOver[]): StepFacts {
  if (passedOver.length === 0) return {};
  return { passedOver: passedOver.map(({ address, error }) => `${address}: ${error.message}`).join('; ') };
}

/** What only takes time is said before what will not get well. */
function worstOf(passedOver: readonly PassedOver[]): BackupError {
  const waiting = passedOver.find(({ error }) => error.code === 'object_archived');
  const [first] = passedOver;
  const error = (waiting ?? first)?.error;
  if (error === undefined)
    return new BackupError('no_backups', 'there is no vault to restore from', { hint: 'make a new plan' });
  if (passedOver.length === 1) return error;
  const others = passedOver.filter((one) => one.error !== error);
  const said = others.map(({ address, error: { message } }) => `${address}: ${message}`).join('; ');
  return new BackupError(error.code, `${error.message}; nor could others give it: ${said}`, {
    ...(error.hint === null ? {} : { hint: error.hint }),
    facts: error.facts,
    cause: error,
  });
}

async function restoreFrom(
  work: DrWork,
  { vault, point: found }: Source,
  { request, target, to, context }: Restoring,
  waits: RecallFlags,
): Promise<StepFacts> {
  const point = await openFound(context, vault, found, waits, work.keys);
  const report = await restoreToPoint(context, {
    ...{ vault, point, target, to, replace: request.isAgain, checkpoints: 'clamp' },
    // A recovery depends on nobody: it is done here.
    hands: threadHands(chooseParallel(undefined, work.settings)),
  });
  return restoreFacts(vault, point, report);
}

function pointFlags({ at }: RestoreRequest): { readonly at?: bigint } {
  if (at === null) return {};
  const time = parseTime(at);
  if (time === null) throw new BackupError('usage', `${JSON.stringify(at)} is no time to restore to`);
  return { at: time };
}

function restoreFacts(vault: Vault, point: ChosenPoint, report: RestoreReport): StepFacts {
  const { checkpoints, epoch, snapshotsDropped, leftOut } = report;
  const { chain } = point;
  return {
    ...{ vault: vault.address, backupId: chain.at(-1)!.manifest.backupId, backups: chain.length },
    ...{ reachedTime: reachedTime(point), reachedLsn: point.recovery?.reached.lsn ?? null },
    ...{ events: report.eventsRestored, streams: report.streamsRestored },
    eventsFromLog: report.recovery?.eventsReplayed ?? 0,
    ...{ epoch, epochRecord: report.recovery?.epochRecord.record ?? null },
    vanished: report.recovery?.epochRecord.vanished?.events ?? null,
    checkpointsSetBack: checkpoints.filter(({ action }) => action === 'clamped').length,
    snapshotsDropped: snapshotsDropped.length,
    leftOut: leftOut.join(', ') || null,
    restoreMs: report.durationMs,
  };
}

/** Asked the way a restore begins, and taken back: so rights, locks and what is there are found out as they are. */
async function whyNotInto(work: DrWork, shown: string, signal: AbortSignal): Promise<string | null> {
  const inUse = usedStores(work).find((address) => isSameStore(address, fullStoreAddress(work, shown)));
  if (inUse !== undefined) return `it is ${redactAddress(inUse)}, a store in use`;
  try {
    return await withDrStore(work, shown, signal, async (target) => {
      const session = await target.openRestore({ attemptId: systemClock.uuid(), replace: false });
      await session.discard();
      return null;
    });
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    return error.hint === null ? error.message : `${error.message} (${error.hint})`;
  }
}

function usedStores({ settings, disaster }: DrWork): string[] {
  const servers = disaster.regions.flatMap((region) => region.servers.map(({ address }) => address));
  const { store, standby } = settings;
  return [...servers, disaster.public, store, standby].filter((address) => address !== null);
}
