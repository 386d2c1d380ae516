import { archive } from '../../capture/archiver.ts';
import { findLogEnd, type LogEnd } from '../../capture/log-end.ts';
import type { ArchiveStatus } from '../../capture/status.ts';
import type { StepFacts } from '../../core/disaster.ts';
import type { Protector } from '../../core/disaster-ports.ts';
import { isBackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import { formatTime } from '../../core/time.ts';
import type { Vault } from '../../core/vault.ts';
import { positionText } from '../../format/log-name.ts';
import { isOfSource } from '../../recovery/meeting.ts';
import { chooseParallel, FLUSH_MS } from '../arguments.ts';
import { chooseFormat } from '../backup/format.ts';
import { backUpFully } from '../backup/full.ts';
import { beginStep, type CommandContext } from '../context.ts';
import { underLease } from '../leases.ts';
import { lacksBase } from '../status/log-base.ts';
import { threadHands } from '../threads/parallel-work.ts';
import { systemClock } from '../wire.ts';
import { contextUntil, type DrWork, drVault, withDrStore } from './restore-places.ts';

export function drProtector(work: DrWork): Protector {
  return {
    protect: (request, { signal }) =>
      withDrStore(work, request.store, signal, async (store, storeAddress) => {
        const vault = await drVault(work, request.vault);
        const protecting = { work, context: contextUntil(work.context, signal), store, storeAddress, vault };
        return protect(protecting);
      }),
    catchUp: (request, { signal }) =>
      withDrStore(work, request.store, signal, async (store, storeAddress) => {
        const vault = await drVault(work, request.vault);
        const protecting = { work, context: contextUntil(work.context, signal), store, storeAddress, vault };
        return catchUp(protecting);
      }),
  };
}

interface Protecting {
  readonly work: DrWork;
  readonly context: CommandContext;
  readonly store: EventStore;
  readonly storeAddress: string;
  readonly vault: Vault;
}

/**
 * The log first: a backup that is taken behind its beginning meets it, whatever is committed in between. Then the log up to the backup, so
 * that it carries it on from the first moment.
 */
async function protect(protecting: Protecting): Promise<StepFacts> {
  const { context, vault } = protecting;
  const startedMs = performance.now();
  beginStep(context, `beginning the change log in ${vault.address}`);
  const begun = await archiveUnlessRead(protecting);
  const backupId = await backUp(protecting);
  const carried = begun === null ? null : await archiveUnlessRead(protecting);
  const protectMs = Math.round(performance.now() - startedMs);
  const log =
    begun === null || carried === null
      ? { logIsReadByAnother: true }
      : { ...logFacts(carried), logGaps: begun.gaps + carried.gaps, logCarriesOn: !(await lacksBase(vault)) };
  return { vault: vault.address, backupId, ...log, protectMs };
}

async function backUp({ work, context, store, storeAddress, vault }: Protecting): Promise<string> {
  const { settings, keys } = work;
  // A recovery depends on nobody: it is done here.
  const hands = threadHands(chooseParallel(undefined, settings));
  const { manifest } = await backUpFully(
    context,
    { storeAddress, store, vault, keys, hands, verify: true },
    chooseFormat({}, settings.backup),
  );
  context.progress.end();
  return manifest.backupId;
}

/** Null where an archiver that runs all the time has followed the public name, and is at it already. */
async function archiveUnlessRead(protecting: Protecting): Promise<ArchiveStatus | null> {
  try {
    return await archiveOnce(protecting);
  } catch (error) {
    if (!isBackupError(error, 'lease_held')) throw error;
    protecting.context.log.info(`another archiver reads the changes of ${protecting.store.address}`);
    return null;
  }
}

/** A quiet moment is soon enough noticed. */
const IDLE_MS = 100;

async function archiveOnce({ work, context, store, vault }: Protecting): Promise<ArchiveStatus> {
  const { settings, keys } = work;
  const { signal, software } = context;
  const { format, compression, level } = chooseFormat({}, settings.backup);
  const status = await archive(
    { store, vault, clock: systemClock, keys, underLease: underLease(vault, { signal }) },
    {
      ...{ format, compression, level, outage: { policy: 'hold' }, signal, software },
      ...{ flushMs: settings.changeLog.flush_ms ?? FLUSH_MS.default, idleMs: IDLE_MS, once: true },
      onNote: ({ message, isGrave, facts }) => context.log[isGrave ? 'warn' : 'info'](message, facts),
    },
  );
  context.progress.end();
  return status;
}

function logFacts({ events, transactions, position, asOf, gaps }: ArchiveStatus): StepFacts {
  return {
    ...{ logEvents: events, logTransactions: transactions, logGaps: gaps },
    logPosition: position === null ? null : positionText(position),
    logAsOf: asOf === null ? null : formatTime(asOf),
  };
}

/**
 * Only what the store still keeps for a log that is there: nothing is begun, and no gap is made. A copy of the log may end earlier than the
 * log itself, which lies in another region then: that one is carried on.
 */
async function catchUp(protecting: Protecting): Promise<StepFacts | null> {
  const { context, store, work } = protecting;
  const others = work.vaults.open.map(({ vault }) => vault).filter((vault) => vault !== protecting.vault);
  for (const vault of [protecting.vault, ...others]) {
    const end = await endOfLog(vault, protecting);
    if (end === null || !(await keepsFrom(store, end))) continue;
    beginStep(context, `bringing what ${store.address} still keeps into ${vault.address}`);
    const status = await archiveUnlessRead({ ...protecting, vault });
    return { vault: vault.address, ...(status === null ? { logIsReadByAnother: true } : logFacts(status)) };
  }
  return null;
}

/** Null where there is no log, or none that can be read: another vault may have it. */
async function endOfLog(vault: Vault, { context, work }: Protecting): Promise<LogEnd | null> {
  try {
    return await findLogEnd(vault, null, work.keys);
  } catch (error) {
    const isOfVault = isBackupError(error) && /^(?:vault_|key_|damaged$|object_archived$)/.test(error.code);
    if (!isOfVault) throw error;
    context.log.warn(`the log in ${vault.address} cannot be carried on: ${error.message}`);
    return null;
  }
}

/** Whether the log is of this store, and the store has all that comes next in it. */
async function keepsFrom(store: EventStore, { source, position }: LogEnd): Promise<boolean> {
  const state = await store.feedState();
  if (state === null) return false;
  const { acknowledged } = state;
  if (source.kind === 'postgres' && (acknowledged === null || acknowledged > position)) return false;
  const snapshot = await store.openSnapshot();
  await snapshot.close();
  return isOfSource(snapshot.cursor, source);
}
