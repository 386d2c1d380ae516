import type { ChainBefore } from '../../core/chain-summary.ts';
import type { Clock } from '../../core/clock.ts';
import { inOrder, runLimited } from '../../core/concurrency.ts';
import { makeFacts, mergeFacts } from '../../core/event-facts.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { ManifestFile } from '../../core/manifest.ts';
import type { BackupVerification, Problem, ProblemCode, Progress } from '../../core/report.ts';
import { makeStreamTable, mergeTable, releaseTable } from '../../core/stream-table.ts';
import { formatTime, parseTime, timeFromUnixMs } from '../../core/time.ts';
import { NO_TRUST_POLICY, type TrustPolicy } from '../../core/trust.ts';
import type { Vault } from '../../core/vault.ts';
import { canOpen, isOpen, sealOf } from '../../format/bundle-keys.ts';
import type { ChainMember } from '../../format/chain.ts';
import type { HeadLine } from '../../format/heads.ts';
import { readHeads } from '../../format/line-files.ts';
import { type Completeness, compareWithStore } from './completeness.ts';
import { compareEvents, compareSome, describeSelf } from './consistency.ts';
import { type VerifyFileHooks, type VerifyFileJob, type VerifyFileResult, verifyFile } from './file.ts';
import { climb, rungsOf, type Untried, untriedFor, withRung } from './ladder.ts';
import { checkSeal } from './seal.ts';

export interface VerifyPorts {
  readonly vault: Vault;
  readonly clock: Clock;
  /** Checks a file in another thread. */
  readonly runFile?: (job: VerifyFileJob, hooks: VerifyFileHooks) => Promise<VerifyFileResult>;
}

export interface VerifyOptions {
  readonly quick: boolean;
  /** Files checked at the same time, 1–64. */
  readonly parallel: number;
  /** Whose signatures count; left out: anybody's, and none is needed. */
  readonly trust?: TrustPolicy | undefined;
  /** Of an incremental backup: what its chain held without it, or why that is not to be had, in words. */
  readonly before?: ChainBefore | string;
  /** Compares with this live store too. */
  readonly againstStore?: EventStore;
  /** Of an incremental backup that is compared with a store: what its chain holds, in byte order of the names. */
  readonly heads?: () => AsyncIterable<HeadLine>;
  /** Names of the data files to check; left out: all. Some alone do not show how events follow one another, nor the counts. */
  readonly files?: ReadonlySet<string> | undefined;
  /** Counts the payloads that are no JSON too. That is no damage: the store has them so. */
  readonly payloads?: boolean | undefined;
  /** A data file was read to its end. */
  readonly onFile?: (checked: CheckedFile) => void;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface CheckedFile {
  readonly file: ManifestFile;
  readonly problems: readonly Problem[];
  /** Also what is sealed in it was read. */
  readonly isOpen: boolean;
}

const DAY_US = 86_400_000_000n;
/** More problems than this are counted, not listed. */
const MAX_PROBLEMS = 1000;

/**
 * Checks one backup, rung by rung: existence and sizes, chunk tables, SHA-256 of chunks, files and bundle, seals, decoding, the
 * structure of events, counts, versions and heads. Damage is reported, not thrown; only a vault that fails throws.
 */
export async function verifyBackup(
  ports: VerifyPorts,
  backup: ChainMember,
  options: VerifyOptions,
): Promise<BackupVerification> {
  const { manifest } = backup;
  const startedAtMs = ports.clock.now();
  const files = manifest.files.filter(({ name }) => options.files?.has(name) ?? true);
  const isWhole = files.length === manifest.files.length;
  const found = await verifyFiles(ports, backup, files, options);
  const fileProblems = found.problems;
  const seal = await checkSeal(ports.vault, backup, options.trust ?? NO_TRUST_POLICY);
  const metadataProblems = [...describeSelf(manifest), ...(isWhole ? describeChain(backup, options) : [])];
  const { eventsChecked, eventProblems } = await compareFound(ports.vault, backup, found, {
    ...options,
    isWhole,
  });
  const completeness = await checkCompleteness(ports.vault, backup, options);
  const missingEvents = completeness?.missingEvents ?? 0;
  const problems = [
    ...fileProblems,
    ...metadataProblems,
    ...seal.problems,
    ...eventProblems,
    ...(completeness?.problems ?? []),
  ];
  const failed = rungsOf(problems);
  if (missingEvents > 0) failed.add('completeness');
  const decoded = !fileProblems.some((problem) => DECODING.has(problem.code));
  return {
    backupId: manifest.backupId,
    checksumValid: !fileProblems.some((problem) => !DECODING.has(problem.code)),
    metadataConsistent:
      metadataProblems.length === 0 &&
      seal.problems.length === 0 &&
      !eventProblems.some((problem) => METADATA.has(problem.code)),
    eventsValid:
      options.quick || !isWhole || !isOpen(backup)
        ? null
        : decoded && fileProblems.length === 0 && eventProblems.length === 0,
    completenessVerified: completeness?.isVerified ?? false,
    missingEvents,
    overallValid: problems.length === 0 && missingEvents === 0,
    signature: seal.signature,
    eventsChecked,
    malformedPayloads: options.payloads && !options.quick && isOpen(backup) ? found.malformed : null,
    rungs: climb(failed, untriedRungs(backup, options, files)),
    isWhole,
    problems: problems.slice(0, MAX_PROBLEMS).map(withRung),
    problemsOmitted: Math.max(0, problems.length - MAX_PROBLEMS),
    verificationTime: formatTime(timeFromUnixMs(ports.clock.now()), 3),
    durationMs: Math.max(0, ports.clock.now() - startedAtMs),
  };
}

/** Why rungs are not tried, where they are not. */
function untriedRungs(backup: ChainMember, options: VerifyOptions, files: readonly ManifestFile[]): Untried {
  const { manifest } = backup;
  const { quick, before, againstStore } = options;
  const isIncremental = manifest.kind === 'incremental';
  const isProven = manifest.sealed || manifest.signature !== undefined;
  const isPart = files.length < manifest.files.length;
  const noParent = isIncremental && !isPart && (before === undefined || typeof before === 'string');
  const part = `only ${files.length} of its ${manifest.files.length} files were checked`;
  const noHeads = isIncremental && options.heads === undefined ? 'what it builds on is not known' : null;
  // What speaks most generally comes last and counts.
  return {
    ...untriedFor(noParent ? 'what it builds on is not known' : null, 'structure', 'order', 'counts'),
    ...untriedFor(isPart ? part : null, 'order', 'counts'),
    ...untriedFor(isPart && !files.some(isEvents) ? 'no file with events was checked' : null, 'structure'),
    ...untriedFor(
      isOpen(backup) ? null : 'no key opens it',
      'seal',
      'decode',
      'structure',
      'order',
      'counts',
    ),
    ...untriedFor(isProven ? null : 'it is neither sealed nor signed', 'seal'),
    ...untriedFor(quick ? '`--quick`' : null, 'checksum', 'seal', 'decode', 'structure', 'order', 'counts'),
    ...untriedFor(againstStore === undefined ? 'no store was named' : noHeads, 'completeness'),
  };
}

function isEvents({ role }: ManifestFile): boolean {
  return role === 'events';
}

/** That an incremental backup cannot be told to follow from its chain is a finding: it would not be sound alone. */
function describeChain(backup: ChainMember, { quick, before }: VerifyOptions): Problem[] {
  if (backup.manifest.kind === 'full') return [];
  if (before === undefined && (quick || !isOpen(backup))) return [];
  if (before !== undefined && typeof before !== 'string') return [];
  const message = before ?? 'what it builds on was not given, so that its heads were not compared';
  return [{ code: 'chain_broken', file: null, chunk: null, streamId: null, version: null, message }];
}

/** Compares what the files hold together with the manifest. */
async function compareFound(
  vault: Vault,
  backup: ChainMember,
  { problems, facts, table }: VerifyFileResult,
  { quick, before, isWhole }: VerifyOptions & { readonly isWhole: boolean },
): Promise<{ eventsChecked: number; eventProblems: readonly Problem[] }> {
  if (quick || !isOpen(backup)) return { eventsChecked: 0, eventProblems: [] };
  if (!isWhole) {
    releaseTable(table);
    return { eventsChecked: facts.events, eventProblems: compareSome(backup.manifest, facts) };
  }
  const known = before === undefined || typeof before === 'string' ? null : before;
  const found = { vault, backup, table, facts };
  // Damaged chunks leave gaps everywhere: naming them all would bury what is really wrong.
  const eventProblems = problems.length === 0 ? await compareEvents(found, known) : [];
  releaseTable(table);
  return { eventsChecked: facts.events, eventProblems };
}

/** Null where nothing can be compared: the heads of an incremental backup alone are not what its chain holds. */
async function checkCompleteness(
  vault: Vault,
  backup: ChainMember,
  { againstStore, heads }: VerifyOptions,
): Promise<Completeness | null> {
  const { manifest } = backup;
  if (againstStore === undefined || (manifest.kind === 'incremental' && heads === undefined)) return null;
  const lines = heads?.() ?? readHeads(vault, backup);
  return compareWithStore(lines, manifest, againstStore);
}

const DECODING: ReadonlySet<ProblemCode> = new Set(['chunk_undecodable', 'chunk_mismatch', 'seal_broken']);
/** What the manifest says of events, and they are not so. */
const METADATA: ReadonlySet<ProblemCode> = new Set([
  ...(['counts_differ', 'event_invalid', 'version_gap', 'version_duplicate'] as const),
]);

/** The verdict on a backup whose manifest itself is damaged or missing: nothing else can be trusted. */
export function manifestProblem(
  clock: Clock,
  backupId: string,
  code: 'manifest_damaged' | 'manifest_missing' | 'format_unknown',
  message: string,
): BackupVerification {
  const problem: Problem = {
    code,
    file: 'manifest.json',
    chunk: null,
    streamId: null,
    version: null,
    message,
  };
  return {
    backupId,
    checksumValid: false,
    metadataConsistent: false,
    eventsValid: null,
    completenessVerified: false,
    missingEvents: 0,
    overallValid: false,
    signature: { state: 'unsigned', signer: null },
    eventsChecked: 0,
    malformedPayloads: null,
    rungs: climb(rungsOf([problem]), { completeness: 'the manifest cannot be used' }),
    isWhole: true,
    problems: [withRung(problem)],
    problemsOmitted: 0,
    verificationTime: formatTime(timeFromUnixMs(clock.now()), 3),
    durationMs: 0,
  };
}

function tryOpen(backup: ChainMember, { role }: ManifestFile): VerifyFileJob['seal'] {
  return canOpen(backup, role) ? sealOf(backup, role) : 'shut';
}

/** What the files hold together. Each file's table may name every stream, so none waits longer than it must. */
async function verifyFiles(
  ports: VerifyPorts,
  backup: ChainMember,
  files: readonly ManifestFile[],
  options: VerifyOptions,
): Promise<VerifyFileResult> {
  const { manifest, folder } = backup;
  const total = { problems: [] as Problem[], facts: makeFacts(), table: makeStreamTable(), malformed: 0 };
  const take = inOrder<VerifyFileResult>((result) => {
    total.problems.push(...result.problems);
    mergeFacts(total.facts, result.facts);
    total.malformed += result.malformed;
    const [from, to] = total.table.count === 0 ? [total.table, result.table] : [result.table, total.table];
    total.table = to;
    mergeTable(to, from);
    releaseTable(from);
  });
  const done = { events: 0, bytes: 0 };
  const onProgress = (events: number, bytes: number): void => {
    done.events += events;
    done.bytes += bytes;
    options.onProgress?.({ ...done, totalEvents: manifest.totalEvents, totalBytes: manifest.plainBytes });
  };
  const limits = {
    versionBase: manifest.store.versionBase,
    futureAfter: (parseTime(manifest.createdAt) ?? 0n) + DAY_US,
  };
  const { format, compression, headsDigest } = manifest;
  const { quick, payloads = false } = options;
  const checkOne = async (place: number, signal: AbortSignal): Promise<void> => {
    const file = files[place]!;
    const seal = tryOpen(backup, file);
    const job: VerifyFileJob = {
      folder,
      file,
      format,
      compression,
      seal,
      limits,
      headsDigest,
      quick,
      payloads,
    };
    const hooks: VerifyFileHooks = { onProgress, signal };
    const run = ports.runFile ?? ((...work) => verifyFile(ports.vault, ...work));
    const result = await run(job, hooks);
    options.onFile?.({ file, problems: result.problems, isOpen: seal !== 'shut' });
    take(place, result);
  };
  await runLimited([...files.keys()], options.parallel, checkOne, options.signal);
  return total;
}
