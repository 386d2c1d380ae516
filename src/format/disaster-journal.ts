import type { JournalEntry, JournalKind } from '../core/disaster.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { Signer } from '../core/key-ring.ts';
import type { SignatureFinding, TrustPolicy } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { DISASTER_PREFIX, isFacts, isStepName, pickFacts } from './disaster-fields.ts';
import {
  cut,
  decodeRecord,
  digestRecord,
  encodeRecord,
  type Fields,
  findRecordSignature,
  isCount,
  isInstant,
  isNullOr,
  isText,
  isUuid,
  putRecord,
  type RecordKind,
  readRecord,
  type Signed,
  UUID,
} from './record.ts';

/** The journal of a run: what happened, entry by entry (FORMAT.md §22). */
export const RUNS_PREFIX = `${DISASTER_PREFIX}runs/`;
const NAME = new RegExp(`^${RUNS_PREFIX}(${UUID})/(\\d{5})\\.json$`);
const RUN = new RegExp(`^${RUNS_PREFIX}(${UUID})/`);
/** So many digits; a journal ends there. */
const MOST_ENTRIES = 99_999;

export function runFolder(planId: string): string {
  return `${RUNS_PREFIX}${planId}/`;
}

export function entryName({ planId, number }: Pick<JournalEntry, 'planId' | 'number'>): string {
  return `${runFolder(planId)}${String(number).padStart(5, '0')}.json`;
}

/** Null when an object of this name is no entry. */
export function parseEntryName(name: string): { readonly planId: string; readonly number: number } | null {
  const [, planId, number] = NAME.exec(name) ?? [];
  return planId === undefined || Number(number) === 0 ? null : { planId, number: Number(number) };
}

const JOURNAL_KINDS: Readonly<Record<JournalKind, true>> = {
  approved: true,
  resumed: true,
  intent: true,
  done: true,
  skipped: true,
  failed: true,
  ended: true,
  abandoned: true,
};

const ENTRY: RecordKind<JournalEntry> = {
  what: 'the journal entry',
  versionKey: 'entryVersion',
  signed: 'eventcore disaster entry 1\n',
  // A hundred facts of four thousand characters, each of which may take six bytes.
  maxBytes: 4 << 20,
  isOne: isEntry,
  pick: pickEntry,
};

/** Texts and facts that are too long are cut, so that what was written can be read. */
export function encodeEntry(entry: JournalEntry, signer: Signer | null): Buffer {
  return encodeRecord(ENTRY, entry, signer);
}

/** Throws `damaged`. */
export function decodeEntry(bytes: Uint8Array): Signed<JournalEntry> {
  return decodeRecord(ENTRY, bytes);
}

export function findEntrySignature(entry: Signed<JournalEntry>, trust: TrustPolicy): SignatureFinding {
  return findRecordSignature(ENTRY, entry, trust);
}

/**
 * Appends an entry: its number is the last one + 1, `previous` the digest of the last one's bytes. False where the number is taken by
 * another entry: somebody else runs this plan, and whoever gets that must stop at once. Also writes copies to other vaults.
 */
export async function putEntry(vault: Vault, bytes: Uint8Array): Promise<boolean> {
  const entry = decodeEntry(bytes);
  if (entry.number > MOST_ENTRIES)
    throw new BackupError('recovery_stopped', `the journal of ${entry.planId} is full`, {
      hint: 'make a new plan and carry that out',
    });
  return putRecord(vault, entryName(entry), bytes);
}

export interface Journal {
  /** Those that follow one another from the plan on, each proven by the digest in the next. */
  readonly entries: readonly Signed<JournalEntry>[];
  /** The same as they were written, for copies. */
  readonly bytes: readonly Uint8Array[];
  /** What the next entry names as the one before. */
  readonly digest: string;
  /** Where that ends before the journal does, and why; null when it is whole. Nobody may append behind it. */
  readonly broken: { readonly name: string; readonly reason: string } | null;
}

/** All of a journal in its order; one without entries when the run has not begun. Only the vault's own errors are thrown. */
export async function readJournal(
  vault: Vault,
  plan: { readonly planId: string; readonly digest: string },
): Promise<Journal> {
  const numbers = await listNumbers(vault, plan.planId);
  const entries: Signed<JournalEntry>[] = [];
  const read: Uint8Array[] = [];
  let { digest } = plan;
  for (const [i, number] of numbers.entries()) {
    const name = entryName({ planId: plan.planId, number: i + 1 });
    const found = number === i + 1 ? await readEntry(vault, name) : 'is missing, and there are later ones';
    const reason = typeof found === 'string' ? found : breakOf(found.entry, name, digest);
    if (typeof found === 'string' || reason !== null)
      return { entries, bytes: read, digest, broken: { name, reason: reason ?? '' } };
    entries.push(found.entry);
    read.push(found.bytes);
    digest = digestRecord(found.bytes);
  }
  return { entries, bytes: read, digest, broken: null };
}

async function listNumbers(vault: Vault, planId: string): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { name } of vault.list(runFolder(planId))) {
    const parsed = parseEntryName(name);
    if (parsed !== null) numbers.push(parsed.number);
  }
  return numbers;
}

type ReadEntry = { readonly entry: Signed<JournalEntry>; readonly bytes: Uint8Array };

async function readEntry(vault: Vault, name: string): Promise<ReadEntry | string> {
  try {
    const bytes = await readRecord(vault, name, ENTRY.maxBytes);
    return bytes === null ? 'is gone' : { entry: decodeEntry(bytes), bytes };
  } catch (error) {
    if (isBackupError(error, 'damaged')) return error.message;
    throw error;
  }
}

function breakOf(entry: JournalEntry, name: string, digest: string): string | null {
  if (entryName(entry) !== name) return 'holds an entry of another number or plan';
  return entry.previous === digest ? null : 'does not follow the entry before it: one of the two was changed';
}

/** Plans that were begun, in no special order. */
export async function listRuns(vault: Vault): Promise<string[]> {
  const runs = new Set<string>();
  for await (const { name } of vault.list(RUNS_PREFIX)) {
    const planId = RUN.exec(name)?.[1];
    if (planId !== undefined) runs.add(planId);
  }
  return [...runs];
}

/** Also of the entries in an outcome. */
export function isEntry(value: Fields): boolean {
  const { planId, number, epoch, at, actor, kind, step, text, facts, previous } = value;
  return (
    isUuid(planId) &&
    [number, epoch].every(isCount) &&
    (number as number) > 0 &&
    isInstant(at) &&
    [actor, text].every(isText) &&
    isText(kind) &&
    Object.hasOwn(JOURNAL_KINDS, kind) &&
    isNullOr(isStepName)(step) &&
    isFacts(facts) &&
    isText(previous) &&
    /^[0-9a-f]{64}$/.test(previous)
  );
}

export function pickEntry(entry: JournalEntry): JournalEntry {
  const { planId, number, epoch, at, actor, kind, step, text, facts, previous } = entry;
  const words = { text: cut(text), facts: pickFacts(facts) };
  return { planId, number, epoch, at, actor: cut(actor), kind, step, ...words, previous };
}
