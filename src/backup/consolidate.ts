import { BackupError, throwIfAborted } from '../core/errors.ts';
import { type EventFacts, makeFacts, mergeFacts } from '../core/event-facts.ts';
import type { ChunkFormat, Compression, Manifest } from '../core/manifest.ts';
import type { BackupVerification, Progress } from '../core/report.ts';
import { releaseTable, type StreamTable } from '../core/stream-table.ts';
import { formatTime, parseTime, timeFromUnixMs, timeToUnixMs } from '../core/time.ts';
import { BACKUPS_PREFIX, bundleFolder, MANIFEST_NAME } from '../format/bundle.ts';
import { sealOf } from '../format/bundle-keys.ts';
import { type BundleSeal, beginSeal, keysOf } from '../format/bundle-seal.ts';
import { type Chain, chainTotals } from '../format/chain.ts';
import { loadHeads } from '../format/chain-heads.ts';
import { writeObject } from '../format/data-file-writer.ts';
import { writeHeads } from '../format/line-files.ts';
import { encodeManifest } from '../format/manifest-codec.ts';
import { sealManifest } from '../format/manifest-seal.ts';
import { countFutureTimes, type TakenOver, type Target, takeOverFiles } from './consolidate-files.ts';
import { notSound, removeAttempt } from './failures.ts';
import type { FullBackupPorts } from './full.ts';
import { composeManifest } from './manifest.ts';

export type ConsolidationPorts = Pick<FullBackupPorts, 'vault' | 'clock' | 'verify' | 'keys'>;

export interface ConsolidationOptions {
  /** What is otherwise in the chain is encoded anew. */
  readonly format: ChunkFormat;
  readonly compression: Compression;
  readonly level: number | null;
  /** Files that were compressed at another level are taken as they are. */
  readonly anyLevel: boolean;
  readonly software: string;
  readonly onProgress?: (progress: Progress) => void;
  readonly onStep?: (step: string) => void;
  /** Names the backup once it is begun. */
  readonly onBegin?: (backupId: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface ConsolidationReport extends Omit<TakenOver, 'files'> {
  readonly manifest: Manifest;
  readonly folder: string;
  readonly verification: BackupVerification | null;
  readonly leftoversRemoved: number;
  /** Ids of the chain's backups, oldest first. */
  readonly fromChain: readonly string[];
}

const DAY_US = 86_400_000_000n;

/**
 * Makes a full backup out of a chain, inside the vault: what a full backup of the store would have held when the newest
 * backup of the chain was taken. The chain stays as it is and is not needed for it any more. The manifest is written
 * last, after the rest is durable and (with `ports.verify`) read back; after a failure nothing stays.
 */
export async function consolidateChain(
  ports: ConsolidationPorts,
  chain: Chain,
  options: ConsolidationOptions,
): Promise<ConsolidationReport> {
  const { vault, clock } = ports;
  for (const link of chain) sealOf(link);
  refuseAlone(chain, options);
  const leftoversRemoved = await vault.removeLeftovers(BACKUPS_PREFIX);
  const backupId = clock.uuid();
  const folder = bundleFolder('full', backupId);
  options.onBegin?.(backupId);
  try {
    const createdAt = formatTime(timeFromUnixMs(clock.now()), 3);
    const bundle = { folder, backupId, createdAt, software: options.software };
    const seal = await beginSeal(vault, ports.keys, bundle);
    const target = { backupId, folder, seal };
    const { manifest, copied, encoded } = await writeFiles(ports, chain, options, target);
    options.onStep?.('verifying');
    const verification = (await ports.verify?.({ manifest, folder, keys: keysOf(seal) })) ?? null;
    if (verification !== null && !verification.overallValid) {
      throw notSound(verification, vault.address, CHAIN_HINT);
    }
    throwIfAborted(options.signal);
    await writeObject(vault, folder + MANIFEST_NAME, encodeManifest(manifest));
    const fromChain = chain.map((link) => link.manifest.backupId);
    return { manifest, folder, verification, leftoversRemoved, copied, encoded, fromChain };
  } catch (error) {
    await removeAttempt(vault, folder);
    throw error;
  }
}

const CHAIN_HINT =
  'the attempt was removed; `eventcore verify` says whether the chain itself is damaged: if so, take a full backup of the store';

function refuseAlone(chain: Chain, options: ConsolidationOptions): void {
  const { manifest } = chain[0]!;
  const isSame =
    manifest.format === options.format &&
    manifest.compression === options.compression &&
    (options.anyLevel || manifest.level === options.level);
  if (chain.length > 1 || !isSame) return;
  throw new BackupError('backup_not_found', `no chain: backup ${manifest.backupId} is a full one already`, {
    hint: 'name the last backup of a chain, or another --format or --compression to have it written anew',
    facts: { backupId: manifest.backupId },
  });
}

async function writeFiles(
  { vault, clock, keys }: ConsolidationPorts,
  chain: Chain,
  options: ConsolidationOptions,
  { backupId, folder, seal }: { backupId: string; folder: string; seal: BundleSeal | null },
): Promise<Omit<TakenOver, 'files'> & { manifest: Manifest }> {
  const beganAtMs = clock.now();
  options.onStep?.('putting the chain together');
  const newest = chain.at(-1)!.manifest;
  const startedAtMs = unixMs(newest.createdAt);
  const table = await loadHeads(vault, chain);
  try {
    const target: Target = { ...options, folder, seal: seal?.data ?? null };
    const { files, copied, encoded } = await takeOverFiles(vault, chain, target);
    const heads = await writeHeads(vault, folder, { ...options, seal }, table);
    const facts = await factsOfChain(chain, (limit) => countFutureTimes(vault, chain, limit, options.signal));
    requireSum(chain, facts, table);
    const inOrder = [...files];
    // Companions stand last, as in every backup.
    inOrder.splice(files.filter(({ role }) => role === 'events').length, 0, ...heads.files);
    const endedAtMs = clock.now();
    // The catalog orders backups of one time by when they were finished, and clocks differ.
    const finishedAtMs = Math.max(endedAtMs, unixMs(newest.finishedAt) + 1);
    const manifest = composeManifest({
      ...{ backupId, startedAtMs, finishedAtMs, options, source: newest.store },
      ...{ files: inOrder, facts, table, headsDigest: heads.digest, cursor: newest.cursor },
    });
    // Of the work, not of the time since the view of the store.
    const whole = { ...manifest, durationMs: Math.max(0, endedAtMs - beganAtMs) };
    return { manifest: sealManifest(whole, seal, keys?.signer ?? null), copied, encoded };
  } finally {
    releaseTable(table);
  }
}

function unixMs(time: string): number {
  return timeToUnixMs(parseTime(time) ?? 0n);
}

/** What the events of a chain say of themselves, from what its manifests say. */
async function factsOfChain(
  chain: Chain,
  countFuture: (futureAfter: bigint) => Promise<number>,
): Promise<EventFacts> {
  const { createdAt, oddities } = chain.at(-1)!.manifest;
  const facts = makeFacts();
  for (const { manifest } of chain) {
    if (manifest.eventRange === null) continue;
    const { earliestEvent, latestEvent, earliestVersion, latestVersion } = manifest.eventRange;
    mergeFacts(facts, {
      ...makeFacts(),
      events: manifest.totalEvents,
      minTime: parseTime(earliestEvent) ?? facts.minTime,
      maxTime: parseTime(latestEvent) ?? facts.maxTime,
      minVersion: Number(earliestVersion),
      maxVersion: Number(latestVersion),
    });
  }
  facts.emptyFields = oddities.emptyFields;
  facts.belowBase = oddities.belowBase;
  facts.futureTimes = await countFuture((parseTime(createdAt) ?? 0n) + DAY_US);
  return facts;
}

/** Continuity is proven at each step: events, heads and what the newest backup says of its chain must agree. */
function requireSum(chain: Chain, facts: EventFacts, table: StreamTable): void {
  const { manifest } = chain.at(-1)!;
  const said = chainTotals(manifest);
  let inHeads = 0;
  for (let index = 0; index < table.count; index += 1) inHeads += table.events[index]!;
  const fits =
    facts.events === said.totalEvents && inHeads === said.totalEvents && table.count === said.totalStreams;
  if (fits) return;
  throw new BackupError(
    'damaged',
    `the chain of ${manifest.backupId} does not add up: ${facts.events} events, ${inHeads} by its heads, ${said.totalEvents} by its manifest`,
    { hint: 'run `eventcore verify` to see what is wrong; take a full backup of the store' },
  );
}
