import type { JournalEntry, JournalKind, RecoveryStep, StepFacts } from '../core/disaster.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import { pause } from '../core/pause.ts';
import type { Vault } from '../core/vault.ts';
import { decodeEntry, encodeEntry, type Journal, putEntry, readJournal } from '../format/disaster-journal.ts';
import { putPlan, type StoredPlan } from '../format/disaster-plan.ts';
import { digestRecord } from '../format/record.ts';
import type { RecoveryPorts, RecoverySettings, RegionVault } from './context.ts';
import { withDeadline } from './deadline.ts';

/** Writes the journal of one run. */
export interface JournalWriter {
  /** All that stands in the journal. */
  readonly entries: readonly JournalEntry[];
  /**
   * Resolves when the entry is durable in the journal's vault. Throws `lease_held` when another run has written the next entry: whoever gets
   * that stops at once. Throws as the vault does when it is not known whether the entry was written: then too nothing more may be done.
   */
  readonly append: (entry: NewEntry) => Promise<JournalEntry>;
  /** Waits a while for the copies. Gives the addresses of vaults that still lack some. */
  readonly finishCopies: () => Promise<string[]>;
}

export interface NewEntry {
  readonly kind: JournalKind;
  readonly step: RecoveryStep | null;
  readonly text: string;
  readonly facts: StepFacts;
}

export interface JournalRequest {
  readonly ports: Pick<RecoveryPorts, 'clock' | 'actor' | 'signer'>;
  readonly settings: Pick<RecoverySettings, 'probeMs' | 'pollMs'>;
  readonly plan: StoredPlan;
  /** The journal's own among them. */
  readonly vaults: readonly RegionVault[];
  /** Address of that one. */
  readonly home: string;
  /** Of the run; the journal's own grows in any case. */
  readonly epoch: number;
  /** Null: it has no entry yet. */
  readonly found: Journal | null;
  readonly onEntry?: ((entry: JournalEntry) => void) | undefined;
}

/** An entry whose answer was lost is sent again, so often. */
const MOST_TRIES = 3;

export function openJournal(request: JournalRequest): JournalWriter {
  const { plan, vaults, found, onEntry } = request;
  const home = vaults.find(({ vault }) => vault.address === request.home)!.vault;
  const entries: JournalEntry[] = [...(found?.entries ?? [])];
  const all: Uint8Array[] = [...(found?.bytes ?? [])];
  const epoch = Math.max(request.epoch, (entries.at(-1)?.epoch ?? 0) + (entries.length > 0 ? 1 : 0));
  const copies = vaults
    .filter(({ vault }) => vault !== home)
    .map(({ vault }) => copier(vault, plan, all, request.settings.probeMs));
  let isClosed = false;
  const append = async (added: NewEntry): Promise<JournalEntry> => {
    if (isClosed) throw new BackupError('internal', 'an entry after one that failed');
    isClosed = true;
    const last = all.at(-1);
    const bytes = encodeEntry(
      {
        ...{ planId: plan.plan.planId, number: all.length + 1, epoch },
        at: new Date(request.ports.clock.now()).toISOString(),
        actor: request.ports.actor,
        ...added,
        previous: last === undefined ? plan.digest : digestRecord(last),
      },
      request.ports.signer,
    );
    await putSurely(home, bytes, request.settings);
    const entry = decodeEntry(bytes);
    all.push(bytes);
    entries.push(entry);
    isClosed = false;
    for (const copy of copies) copy.catchUp();
    onEntry?.(entry);
    return entry;
  };
  return { entries, append, finishCopies: () => finishCopies(copies) };
}

/** Tries again what the vault could not answer: the same bytes under the same name are this run's own. */
async function putSurely(
  vault: Vault,
  bytes: Uint8Array,
  { probeMs, pollMs }: JournalRequest['settings'],
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      const isMine = await withDeadline(`writing to ${vault.address}`, 2 * probeMs, undefined, () =>
        putEntry(vault, bytes),
      );
      if (isMine) return;
    } catch (error) {
      if (tries === MOST_TRIES || !isBackupError(error, 'vault_unreachable', 'action_failed')) throw error;
      await pause(pollMs);
      continue;
    }
    throw new BackupError('lease_held', `another run goes on with this plan in ${vault.address}`, {
      hint: 'this one has stopped and does nothing more: look at `eventcore dr status`',
      // As locks that were lost on the way: to wait for them is of no use.
      facts: { held: 0 },
    });
  }
}

interface Copier {
  readonly address: string;
  /** Begins to copy what the vault lacks, or does so already. */
  readonly catchUp: () => void;
  readonly running: () => Promise<void>;
  readonly isWhole: () => boolean;
}

/** Copies plan and entries in their order. What fails is tried again at the next entry, from where it failed. */
function copier(vault: Vault, plan: StoredPlan, all: readonly Uint8Array[], probeMs: number): Copier {
  let copied = 0;
  let hasPlan = false;
  let isRunning = false;
  let running: Promise<void> = Promise.resolve();
  const copyAll = async (): Promise<void> => {
    if (!hasPlan) {
      await withDeadline('copying the plan', probeMs, undefined, () => putPlan(vault, plan.bytes));
      hasPlan = true;
    }
    while (copied < all.length) {
      const bytes = all[copied]!;
      // One that is there with other bytes is left: the journal's own vault is what counts.
      await withDeadline('copying the journal', probeMs, undefined, () => putEntry(vault, bytes));
      copied += 1;
    }
  };
  const catchUp = (): void => {
    if (isRunning) return;
    isRunning = true;
    running = copyAll()
      .catch((error: unknown) => {
        if (!isBackupError(error)) throw error;
      })
      .finally(() => {
        isRunning = false;
      });
    // Whoever waits for it gets what it throws; who does not must not be ended by it.
    running.catch(() => {});
  };
  const isWhole = (): boolean => hasPlan && copied === all.length;
  return { address: vault.address, catchUp, running: () => running, isWhole };
}

async function finishCopies(copies: readonly Copier[]): Promise<string[]> {
  for (const copy of copies) {
    await copy.running();
    if (!copy.isWhole()) {
      copy.catchUp();
      await copy.running();
    }
  }
  return copies.filter(({ isWhole }) => !isWhole()).map(({ address }) => address);
}

/** The journal as its own vault has it. Throws `damaged` when it does not follow from the plan entry by entry. */
export async function readWholeJournal(vault: Vault, plan: StoredPlan): Promise<Journal> {
  const { planId } = plan.plan;
  const journal = await readJournal(vault, { planId, digest: plan.digest });
  if (journal.broken === null) return journal;
  const { name, reason } = journal.broken;
  throw new BackupError('damaged', `the journal of ${planId} is broken at ${name}: it ${reason}`, {
    hint: 'compare it with its copies in the other vaults; nothing is done on a journal that cannot be trusted',
    facts: { file: name },
  });
}
