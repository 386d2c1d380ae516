import type { StepFacts } from '../core/disaster.ts';
import type { RestoreRequest, Restorer } from '../core/disaster-ports.ts';
import { BackupError, type ErrorCode, isBackupError } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import { parseTime } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import type { RestoreReport } from '../recovery/restore.ts';
import { isSameStore, redactAddress } from './address.ts';
import { chooseParallel } from './arguments.ts';
import type { CommandContext } from './context.ts';
import { contextUntil, type DrWork, drVault, fullStoreAddress, withDrStore } from './dr-places.ts';
import type { ChosenPoint } from './recovery-target.ts';
import { openPoint, restoreToPoint } from './restore-point.ts';
import { systemClock } from './wire.ts';

export interface DrRestorerOptions {
  /** Waits for what lies in an archive tier, which may take hours; else it is asked for, and the step fails for now. */
  readonly waitForArchive: boolean;
}

export function drRestorer(work: DrWork, options: DrRestorerOptions): Restorer {
  return {
    restore: (request, { signal }) =>
      withDrStore(work, request.to, (target, to) =>
        restoreFromFirst(work, { request, options, target, to, context: contextUntil(work.context, signal) }),
      ),
    refuse: (shown) => whyNotInto(work, shown),
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
  'signature_invalid',
];

interface PassedOver {
  readonly address: string;
  readonly error: BackupError;
}

/** From the first vault that can give it. What the others lacked is told, since a later one may have less. */
async function restoreFromFirst(work: DrWork, restoring: Restoring): Promise<StepFacts> {
  const passedOver: PassedOver[] = [];
  for (const address of restoring.request.vaults) {
    try {
      return { ...(await restoreFrom(work, address, restoring)), ...passedOverFacts(passedOver) };
    } catch (error) {
      if (!isBackupError(error, ...OF_THE_VAULT)) throw error;
      restoring.context.log.warn(`nothing can be restored from ${address}: ${error.message}`);
      passedOver.push({ address, error });
    }
  }
  throw worstOf(passedOver);
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
  address: string,
  { request, options, target, to, context }: Restoring,
): Promise<StepFacts> {
  const vault = await drVault(work, address);
  const waits = options.waitForArchive ? { waitForArchive: true as const } : {};
  const point = await openPoint(context, vault, { ...pointFlags(request), ...waits }, work.keys);
  const report = await restoreToPoint(context, {
    ...{ vault, point, target, to, replace: request.isAgain, checkpoints: 'clamp' },
    parallel: chooseParallel(undefined, work.settings),
  });
  return restoreFacts(vault, point, report);
}

function pointFlags({ at }: RestoreRequest): { readonly at?: bigint } {
  if (at === null) return {};
  const time = parseTime(at);
  if (time === null) throw new BackupError('usage', `${JSON.stringify(at)} is no time to restore to`);
  return { at: time };
}

function restoreFacts(vault: Vault, { chain, recovery }: ChosenPoint, report: RestoreReport): StepFacts {
  const { checkpoints, epoch, snapshotsDropped, leftOut } = report;
  const newest = chain.at(-1)!.manifest;
  return {
    ...{ vault: vault.address, backupId: newest.backupId, backups: chain.length },
    ...{ reachedTime: recovery?.reached.time ?? newest.createdAt, reachedLsn: recovery?.reached.lsn ?? null },
    ...{ events: report.eventsRestored, streams: report.streamsRestored },
    eventsFromLog: report.recovery?.eventsReplayed ?? 0,
    ...{ epoch, epochRecord: report.recovery?.epochRecord.record ?? null },
    checkpointsSetBack: checkpoints.filter(({ action }) => action === 'clamped').length,
    snapshotsDropped: snapshotsDropped.length,
    leftOut: leftOut.join(', ') || null,
    restoreMs: report.durationMs,
  };
}

/** Asked the way a restore begins, and taken back: so rights, locks and what is there are found out as they are. */
async function whyNotInto(work: DrWork, shown: string): Promise<string | null> {
  const inUse = usedStores(work).find((address) => isSameStore(address, fullStoreAddress(work, shown)));
  if (inUse !== undefined) return `it is ${redactAddress(inUse)}, a store in use`;
  try {
    return await withDrStore(work, shown, async (target) => {
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
