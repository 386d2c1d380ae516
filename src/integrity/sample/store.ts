import { type BackupError, isBackupError } from '../../core/errors.ts';
import type { EventStore, StoreDescription, StoreSnapshot } from '../../core/event-store.ts';
import type { Finding, SweepPlace } from '../../core/finding.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import type { Vault } from '../../core/vault.ts';
import { canOpen, headsRole } from '../../format/bundle-keys.ts';
import type { Chain } from '../../format/chain.ts';
import { breakOffStep, endStep, planSweep, type SweepState, type SweepStep } from '../../policy/sweep.ts';
import { type FindingList, makeFindingList } from '../finding-list.ts';
import { type SampledBlocks, sampleBlocks, unreadable } from './blocks.ts';
import { sampleStreams } from './streams.ts';

export interface SamplePorts {
  readonly store: EventStore;
  /** Where the chain is. */
  readonly vault: Vault | null;
  /** The newest sound one of this store; null: there is none. */
  readonly chain: Chain | null;
  readonly signal?: AbortSignal | undefined;
  /** Told of bytes that were read, of the store and of the vault; what is read next waits for it. */
  readonly pace?: (bytes: number) => Promise<void>;
}

export interface SampleOptions {
  /** Where the sweep stands; `beginSweep` makes the first one. */
  readonly sweep: SweepState;
  /** Of all blocks and of all streams, above 0 and up to 100. */
  readonly percentage: number;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  /** How far an event's time may be ahead of now. */
  readonly futureToleranceMs: number;
  /** Keys that the metadata of each event must have. */
  readonly requiredMetadata: readonly string[];
}

export interface StoreSample {
  readonly findings: readonly Finding[];
  /** Findings that are counted and not listed. */
  readonly findingsOmitted: number;
  /** Blocks, and events in them, that were looked at. */
  readonly blocks: number;
  readonly blocksTotal: number;
  readonly eventsChecked: number;
  /** Events that a backup has too and that were held against it. */
  readonly compared: number;
  /** Streams of the sample that were held against the heads. */
  readonly streams: number;
  /** About; of the vault exactly. */
  readonly bytesRead: number;
  readonly vaultBytesRead: number;
  /** What was not done, and why. */
  readonly skipped: { readonly comparison?: string; readonly streams?: string };
  /** How the store was lost while a block was read: the rest was not looked at, and the next run begins anew; null usually. */
  readonly brokenOff: string | null;
  /** Where the next run goes on. */
  readonly sweep: SweepState;
}

/**
 * Looks at the next part of a store's sweep, in one view: blocks event by event, streams by what there is of them, both held against the
 * newest backup. Changes nothing. Throws what the store cannot be reached for, and `interrupted`; what is wrong with the backup is a
 * reason why the comparison was skipped. A store that is lost while a block is read ends the run, with what was found so far.
 */
export async function sampleStore(ports: SamplePorts, options: SampleOptions): Promise<StoreSample> {
  const description = await ports.store.inspect();
  const snapshot = await ports.store.openSnapshot();
  try {
    return await sampleView(meter(ports), snapshot, description, options);
  } finally {
    await snapshot.close();
  }
}

interface MeteredPorts extends SamplePorts {
  readonly pace: (bytes: number) => Promise<void>;
  readonly read: { store: number; vault: number };
}

function meter({ vault, pace = async () => {}, ...ports }: SamplePorts): MeteredPorts {
  const read = { store: 0, vault: 0 };
  return {
    ...ports,
    read,
    vault: vault === null ? null : meteredVault(vault, read, pace),
    pace: async (bytes) => {
      read.store += bytes;
      await pace(bytes);
    },
  };
}

function meteredVault(vault: Vault, read: { vault: number }, pace: (bytes: number) => Promise<void>): Vault {
  return {
    ...vault,
    readRange: async (name, offset, length) => {
      const bytes = await vault.readRange(name, offset, length);
      read.vault += bytes.length;
      await pace(bytes.length);
      return bytes;
    },
  };
}

async function sampleView(
  ports: MeteredPorts,
  snapshot: StoreSnapshot,
  description: StoreDescription,
  options: SampleOptions,
): Promise<StoreSample> {
  const plan = await snapshot.planBlocks();
  const { sweep, percentage, nowMs } = options;
  const now = formatTime(timeFromUnixMs(nowMs), 3);
  const step = planSweep(sweep, { blocks: plan.blocks, percentage, now });
  const findings = makeFindingList();
  const behind = await whyBehind(snapshot, ports);
  const streams = await sampleStreamsOf(ports, snapshot, { step, seed: sweep.seed, findings, behind });
  for (const block of step.avoided) findings.add(unreadable(block, AVOIDED));
  const { events, compared, skipped, lost }: SampledBlocks = await sampleBlocks({
    ...{ snapshot, plan, blocks: step.blocks, findings, pace: ports.pace, signal: ports.signal },
    against: behind ?? whyNotCompared(ports, description) ?? { vault: ports.vault!, chain: ports.chain! },
    limits: {
      versionBase: description.versionBase,
      futureAfter: timeFromUnixMs(nowMs + options.futureToleranceMs),
      requiredMetadata: options.requiredMetadata,
    },
  });
  return {
    ...{ findings: findings.findings, findingsOmitted: findings.omitted() },
    ...{ blocks: step.blocks.length, blocksTotal: plan.blocks, eventsChecked: events, compared },
    ...{ streams: streams.count, bytesRead: ports.read.store, vaultBytesRead: ports.read.vault },
    skipped: {
      ...(skipped === null ? {} : { comparison: skipped }),
      ...(streams.skipped === null ? {} : { streams: streams.skipped }),
    },
    brokenOff: lost?.message ?? null,
    sweep:
      lost === null
        ? endStep(step, [...findings.places(), ...unsettled(sweep, skipped, streams.skipped)])
        : breakOffStep(sweep, lost.block, findings.places()),
  };
}

/** Nothing was found, and nothing is known to be clean, where nothing was compared. */
function unsettled(
  { suspects }: SweepState,
  comparison: string | null,
  streams: string | null,
): SweepPlace[] {
  return suspects.filter(({ kind }) => (kind === 'block' ? comparison : streams) !== null);
}

const AVOIDED =
  'is not read before the next round: twice the store was lost when it was, and a server may die of damaged events';

/** Why the view may lack what the newest backup has: a standby that lags has lost nothing. */
async function whyBehind(snapshot: StoreSnapshot, { vault, chain }: SamplePorts): Promise<string | null> {
  if (vault === null) return 'no vault is configured';
  if (chain === null) return 'there is no backup of the store yet';
  try {
    await snapshot.planChangesIn(chain.at(-1)!.manifest.cursor, []);
    return null;
  } catch (error) {
    if (!isBackupError(error, 'store_behind')) throw error;
    return error.message;
  }
}

function whyNotCompared({ chain }: SamplePorts, { kind }: StoreDescription): string | null {
  for (const link of chain!) {
    const { backupId, store } = link.manifest;
    if (!canOpen(link, 'events')) return `backup ${backupId} is sealed, and no key opens it`;
    // Payloads and times are kept in other forms there.
    if (store.kind !== kind) return `backup ${backupId} is of a store of another kind, ${store.kind}`;
  }
  return null;
}

interface StreamsPart {
  readonly step: SweepStep;
  readonly seed: number;
  readonly findings: FindingList;
  readonly behind: string | null;
}

async function sampleStreamsOf(
  { vault, chain, pace, signal }: MeteredPorts,
  snapshot: StoreSnapshot,
  { step, seed, findings, behind }: StreamsPart,
): Promise<{ count: number; skipped: string | null }> {
  if (behind !== null) return { count: 0, skipped: behind };
  const sample = { seed, of: step.of, buckets: step.buckets };
  try {
    for (const link of chain!) headsRole(link);
    const count = await sampleStreams({
      ...{ snapshot, vault: vault!, chain: chain!, sample, findings, pace, signal },
    });
    return { count, skipped: null };
  } catch (error) {
    if (!isBackupError(error) || !isSkippable(error)) throw error;
    return { count: 0, skipped: error.message };
  }
}

/** What is wrong with a backup, or with an index of the store: the blocks show what is wrong with the events. */
function isSkippable({ code }: BackupError): boolean {
  return (
    code === 'damaged' || code.startsWith('key_') || code.startsWith('vault_') || code === 'object_archived'
  );
}
