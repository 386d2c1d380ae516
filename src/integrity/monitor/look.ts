import { BackupError, isBackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { StoreInspection } from '../../core/inspection.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import type { Vault } from '../../core/vault.ts';
import { canOpen } from '../../format/bundle-keys.ts';
import type { Chain } from '../../format/chain.ts';
import type { CheckCount } from '../../format/monitor-report.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import { ELSEWHERE } from '../../policy/alerts.ts';
import type { Sight } from '../../policy/blind.ts';
import {
  addSuspects,
  beginSweep,
  planSweep,
  readSweep,
  type SweepState,
  type SweepStep,
} from '../../policy/sweep.ts';
import type { CheckDefinition } from '../checks/check.ts';
import { type CheckResult, runChecks } from '../checks/run.ts';
import { EVENT_FAULTS } from '../sample/event-faults.ts';
import { type StoreSample, sampleStore } from '../sample/store.ts';
import { knownStreams } from './known-streams.ts';
import { type StoreLook, seeNothing } from './monitor.ts';
import { newestChain } from './newest-chain.ts';
import { replicationLag } from './replication-lag.ts';

export interface LookPorts {
  readonly store: EventStore;
  readonly vault: Vault;
  readonly keys: ReadKeys | null;
  readonly nowMs: () => number;
  /** A number of 32 bits, for a sweep that begins. */
  readonly randomSeed: () => number;
  readonly checks: readonly CheckDefinition[];
  /** Told of bytes that were read; what comes next waits for it. */
  readonly pace: (bytes: number) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

export interface LookOptions {
  readonly percentage: number;
  readonly statementTimeoutMs: number;
  readonly maxReplicationLagMs: number;
  readonly clockToleranceMs: number;
  readonly requiredMetadata: readonly string[];
  /** Checks to ask now though they cost much and are not due. */
  readonly also: readonly string[];
}

/**
 * One look at the store: what the checks ask, then the next part of the sweep, held against the newest backup. One connection at a time. A store
 * that is away, or goes away meanwhile, is something that it saw.
 */
export async function lookAtStore(
  ports: LookPorts,
  recorded: object | null,
  options: LookOptions,
): Promise<StoreLook> {
  try {
    const sweep = readSweep(recorded) ?? beginSweep(ports.randomSeed());
    return await look(ports, options.percentage < 100 ? sweep : beginAnew(sweep), options);
  } catch (error) {
    if (!isBackupError(error, ...AWAY)) throw error;
    const isLagging = error.code === 'store_behind';
    const cause = isLagging ? 'replication' : 'store';
    return seeNothing(cause, { outcome: isLagging ? 'put_off' : 'blind', reason: error.message }, recorded);
  }
}

/** All of the store is all of it, and not what is left of the round. */
function beginAnew({ blocks, buckets, ...sweep }: SweepState): SweepState {
  return { ...sweep, blocks: { ...blocks, from: 0 }, buckets: { ...buckets, from: 0 } };
}

const AWAY = ['store_unreachable', 'store_refused', 'not_an_event_store', 'store_behind'] as const;

async function look(ports: LookPorts, sweep: SweepState, options: LookOptions): Promise<StoreLook> {
  const now = formatTime(timeFromUnixMs(ports.nowMs()), 3);
  const planOf = (blocks: number): SweepStep =>
    planSweep(sweep, { blocks, percentage: options.percentage, now });
  const chain = await findChain(ports);
  const checked = await askChecks(ports, chain.chain, planOf(1), { ...options, seed: sweep.seed });
  const known = new Set(ports.checks.map(({ name }) => name));
  const sample = await trySample(ports, chain.chain, sweep, options);
  if (isBackupError(sample))
    return lookOf({ known, checked, failure: sample, sample: null, chain, sweep, step: planOf(1) });
  return lookOf({ known, checked, failure: null, sample, chain, sweep, step: planOf(sample.blocksTotal) });
}

/** A store so damaged that no part of it can be read has shown something by that: what the checks found is told all the same. */
async function trySample(
  ports: LookPorts,
  chain: Chain | null,
  sweep: SweepState,
  { percentage, clockToleranceMs, requiredMetadata }: LookOptions,
): Promise<StoreSample | BackupError> {
  const nowMs = ports.nowMs();
  try {
    return await sampleStore(
      { ...ports, chain },
      { sweep, percentage, nowMs, futureToleranceMs: clockToleranceMs, requiredMetadata },
    );
  } catch (error) {
    if (isBackupError(error, 'damaged', 'store_unsupported')) return error;
    throw error;
  }
}

interface NewestChain {
  readonly chain: Chain | null;
  /** Why there is none; null where there is. */
  readonly reason: string | null;
}

/** What is wrong with the backups is for `verify` to say; here nothing can be held against them then. */
async function findChain({ vault, keys }: LookPorts): Promise<NewestChain> {
  try {
    return { chain: await newestChain(vault, keys), reason: null };
  } catch (error) {
    if (!isBackupError(error) || error.code.startsWith('vault_') || error.code === 'interrupted') throw error;
    return { chain: null, reason: error.message };
  }
}

/** Replication is looked at again after so long. */
const LAG_EVERY_MS = 10_000;

async function askChecks(
  ports: LookPorts,
  chain: Chain | null,
  step: SweepStep,
  options: LookOptions & { readonly seed: number },
): Promise<readonly CheckResult[]> {
  const inspection = await ports.store.openInspection({ statementTimeoutMs: options.statementTimeoutMs });
  if (inspection === null) return [];
  const sample = { seed: options.seed, of: step.of, buckets: step.buckets };
  const { known, release } = await knownStreams(ports.vault, chain, sample);
  try {
    const { clockToleranceMs, requiredMetadata } = options;
    const spare = makeSpare(inspection, options.maxReplicationLagMs);
    await spare();
    const { checks } = await runChecks(inspection, dueChecks(ports.checks, step, options), {
      ...{ settings: { sample, clockToleranceMs, requiredMetadata, known }, pace: spare },
      ...(ports.signal === undefined ? {} : { signal: ports.signal }),
    });
    await spare();
    return checks;
  } finally {
    release();
    await inspection.close();
  }
}

/** What costs most is asked when a round ends. */
function dueChecks(
  checks: readonly CheckDefinition[],
  { next }: SweepStep,
  { also }: LookOptions,
): CheckDefinition[] {
  const endsRound = next.buckets.from === 0;
  return checks.filter(({ name, every }) => every === 'run' || endsRound || also.includes(name));
}

/** Throws `store_behind` while replication lags, and keeps to it. */
function makeSpare(inspection: StoreInspection, mostMs: number): () => Promise<void> {
  let nextMs = 0;
  let refused: BackupError | null = null;
  return async () => {
    if (refused !== null) throw refused;
    if (performance.now() < nextMs) return;
    const lagMs = await replicationLag(inspection);
    nextMs = performance.now() + LAG_EVERY_MS;
    if (lagMs === null || lagMs <= mostMs) return;
    refused = new BackupError('store_behind', `replication lags by ${Math.round(lagMs / 1000)} s`, {
      hint: 'nothing is looked at until it has caught up; `monitor.max_replication_lag` says how much is borne',
    });
    throw refused;
  };
}

interface Looked {
  /** Names of all checks, whether they were due or not. */
  readonly known: ReadonlySet<string>;
  readonly checked: readonly CheckResult[];
  /** Null when it could not be taken. */
  readonly sample: StoreSample | null;
  readonly failure: BackupError | null;
  readonly chain: NewestChain;
  readonly sweep: SweepState;
  readonly step: SweepStep;
}

function lookOf(looked: Looked): StoreLook {
  const { checked, sample, failure, chain, sweep, step } = looked;
  const skipped = sample?.skipped ?? {};
  const notCompared = failure?.message ?? chain.reason ?? skipped.comparison ?? skipped.streams ?? null;
  const failed = checked.filter(({ state }) => state === 'failed');
  // Of a look that was broken off nobody knows which blocks it came to.
  const wasSampled = sample !== null && sample.brokenOff === null;
  const blocks = wasSampled ? step.blocks : [];
  return {
    findings: [...checked.flatMap(({ findings }) => findings), ...(sample?.findings ?? [])],
    findingsOmitted: checked.reduce((sum, one) => sum + one.findingsOmitted, sample?.findingsOmitted ?? 0),
    skipped: [
      ...failed.map(({ name, reason }) => `${name}: ${reason}`),
      ...(notCompared === null ? [] : [`comparison with the newest backup: ${notCompared}`]),
      ...(sample?.brokenOff == null ? [] : [`the rest of the sample: ${sample.brokenOff}`]),
    ],
    checks: [...checked.map(countOf), ...(sample === null ? [] : countsOf(sample, notCompared))],
    looked: {
      ...{ blocks: blocks.length, buckets: step.buckets.length, streams: sample?.streams ?? 0 },
      ...{ events: sample?.eventsChecked ?? 0, compared: sample?.compared ?? 0 },
      comparedWith: notCompared === null ? (chain.chain?.at(-1)?.manifest.backupId ?? null) : null,
    },
    lookedAt: {
      wasMade: (check, place) => wasMade(check, place, looked),
      places: new Set([...blocks.map((n) => `block ${n}`), ...step.buckets.map((n) => `bucket ${n}`)]),
      rounds: { block: sweep.blocks.round, bucket: sweep.buckets.round },
    },
    sight: sightOf(looked, notCompared === null || isSealedFor(chain.chain)),
    notLooked: null,
    // What was found and is not told place by place is looked at again all the same.
    endSweep: (places) => addSuspects(sample?.sweep ?? sweep, places),
  };
}

/** Whoever has public keys alone is meant to compare nothing: no reason for an alert. */
function isSealedFor(chain: Chain | null): boolean {
  return chain?.some((link) => !canOpen(link, 'events')) ?? false;
}

function sightOf({ checked, failure, chain, sample }: Looked, wasCompared: boolean): Sight {
  const causeOf = ({ name }: CheckResult): string => `check ${name}`;
  const failed = checked.filter(({ state }) => state === 'failed');
  const isComparisonBlind = failure === null && !wasCompared;
  const isLost = sample?.brokenOff != null;
  return {
    blind: [
      ...failed.map(causeOf),
      ...(failure === null ? [] : ['check sample']),
      ...(isComparisonBlind || chain.chain === null ? ['comparison'] : []),
      ...(isLost ? ['store'] : []),
    ],
    clear: [
      ...['replication', ...(isLost ? [] : ['store']), ...(wasCompared ? ['comparison'] : [])],
      ...checked.filter((one) => !failed.includes(one)).map(causeOf),
      ...(failure === null ? ['check sample'] : []),
    ],
  };
}

/** Without a comparison only what a block shows by itself was looked at. */
const BY_ITSELF: ReadonlySet<string> = new Set([...Object.keys(EVENT_FAULTS), 'block_unreadable']);

/** What is none of the checks is the sample's: of blocks, or of streams by their heads, which a host can have that opens nothing else. */
function wasMade(check: string, place: string, { checked, sample, chain, known }: Looked): boolean {
  const result = checked.find(({ name }) => name === check);
  if (result !== undefined) return result.reason === null || result.state === 'skipped';
  // One that is known and has no result was not due.
  if (known.has(check) || sample === null || sample.brokenOff !== null) return false;
  const ofBlocks = BY_ITSELF.has(check) || (chain.chain !== null && sample.skipped.comparison === undefined);
  const ofStreams = chain.chain !== null && sample.skipped.streams === undefined;
  if (place.startsWith('block ')) return ofBlocks;
  return place === ELSEWHERE ? ofBlocks && ofStreams : ofStreams;
}

function countOf({ name, state, findings, findingsOmitted }: CheckResult): CheckCount {
  return {
    ...{ name, verdict: state === 'passed' ? 'sound' : state },
    findings: findings.length + findingsOmitted,
    events: findings.reduce((sum, { events }) => sum + events, 0),
  };
}

/** The sample as two checks more: of the blocks by themselves, and of all that was held against the backup. */
function countsOf({ findings }: StoreSample, notCompared: string | null): CheckCount[] {
  const inBlocks = findings.filter(({ rung }) => rung === 'blocks');
  const others = findings.filter(({ rung }) => rung !== 'blocks');
  const count = (name: string, of: StoreSample['findings'], isMade: boolean): CheckCount => ({
    ...{ name, verdict: of.length > 0 ? 'found' : isMade ? 'sound' : 'skipped' },
    ...{ findings: of.length, events: of.reduce((sum, { events }) => sum + events, 0) },
  });
  return [count('blocks', inBlocks, true), count('comparison', others, notCompared === null)];
}
