import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Vault } from '../../src/core/vault.ts';
import { type Chain, type ChainMember, requireChain } from '../../src/format/chain.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { verifyBackup } from '../../src/integrity/verify/backup.ts';
import type { Random } from '../../src/testing/random.ts';
import { awaitCommand, type Ran, startCommand, withStoreAt } from './command.ts';
import { testClock } from './memory-backup.ts';
import type { TestPostgres } from './postgres.ts';
import { digestChain, takeIncremental } from './proof-run.ts';
import { prepareResumeGround, type ResumeGround, withCatalog } from './resume-runs.ts';
import { startSlowWriters } from './slow-writers.ts';
import type { WorkerWorld } from './worker-world.ts';

/** A store that is written to, its vault, and what is known of the backups there. */
export interface Lane {
  readonly name: string;
  readonly world: WorkerWorld;
  readonly ground: ResumeGround;
  readonly random: Random;
  /** When the round under way began. */
  begunMs: number;
  /** What each backup holds with all before it, when it was proven. */
  readonly proven: Map<string, Content>;
  /** Targets of restores that said that they were done: a worker that was away may come back and write. */
  readonly restored: { readonly address: string; readonly content: Content; readonly sinceMs: number }[];
}

interface Content {
  readonly events: number;
  readonly digest: string;
}

export interface Round {
  readonly kind: 'backup' | 'restore';
  readonly kills: number;
  /** How often the command gave up by itself, to be started again. */
  readonly failures: readonly string[];
  readonly warnings: readonly string[];
  readonly events: number;
  readonly filesKept: number;
  /** Backups that are there now and were not before. */
  readonly committed: number;
  readonly ms: number;
}

/** After so long nobody does harm any more; */
const CALM_MS = 150_000;
/** and what then still does not end, with all its runs, hangs. */
const HANGS_MS = 360_000;
const REPORT_MS = 5000;
const REPORTING = { NODE_OPTIONS: '--report-on-signal' };
const MOST_RUNS = 12;
/** It may be started again with nothing changed. */
const RETRYABLE = 11;
/** A worker that was halted has gone on and noticed until then. */
const LATE_MS = 60_000;

export async function prepareLane(
  name: string,
  {
    world,
    store,
    events,
    random,
  }: { world: WorkerWorld; store: TestPostgres; events: number; random: Random },
): Promise<Lane> {
  const folder = join(world.folder, name);
  await mkdir(folder);
  const ground = await prepareResumeGround(folder, store, events);
  return { name, world, ground, random, begunMs: performance.now(), proven: new Map(), restored: [] };
}

/** Whether a round has had its share of what can go wrong. */
export function wantsCalm({ begunMs }: Lane): boolean {
  return performance.now() - begunMs > CALM_MS;
}

/**
 * Takes a full backup by workers while the store is written to, and kills its coordinator in between. What is committed is whole, and with
 * all that the store committed since is the store.
 */
export async function backUpRound(lane: Lane): Promise<Round> {
  const { ground, random } = lane;
  const slowness = { maxDelayMs: 800, maxEventsPerInsert: 12, positions: false };
  const writers = await startSlowWriters({ address: ground.store, writers: 3, ...slowness });
  const begunMs = performance.now();
  let ran: Outcome;
  try {
    const size = String([2, 2, 3, 5][random.below(4)]);
    ran = await runUntilDone(lane, [
      ...['backup', 'full', '--store', ground.store, '--part-size', size, '--parallel', '6'],
    ]);
  } finally {
    await writers.stop();
  }
  const ms = performance.now() - begunMs;
  const committed = await proveNew(lane);
  const { totalEvents, resumed, backupId } = JSON.parse(ran.stdout);
  assert.ok(lane.proven.has(backupId), `${backupId} is in the vault`);
  const filesKept = resumed?.filesKept ?? 0;
  return { kind: 'backup', ...ran.round, events: totalEvents, filesKept, committed, ms };
}

/** Restores one of the newest backups by workers, and kills its coordinator in between. */
export async function restoreRound(lane: Lane): Promise<Round> {
  const { ground, random, proven, restored } = lane;
  const newest = [...proven].slice(-6);
  const [backupId, content] = newest[random.below(newest.length)]!;
  const address = ground.postgres.address(await ground.postgres.createDatabase());
  const begunMs = performance.now();
  const ran = await runUntilDone(lane, [
    ...['restore', '--backup', backupId, '--to', address, '--parallel', '4'],
  ]);
  const ms = performance.now() - begunMs;
  assert.deepEqual(await contentOf(address), content, `the restore of ${backupId} is the backup`);
  restored.push({ address, content, sinceMs: performance.now() });
  return { kind: 'restore', ...ran.round, events: content.events, filesKept: 0, committed: 0, ms };
}

/** Looks once more at what was restored a while ago, and throws it away. */
export async function lookAgainAtRestored({ restored, ground }: Lane, all = false): Promise<void> {
  while (restored.length > 0 && (all || performance.now() - restored[0]!.sinceMs > LATE_MS)) {
    const { address, content } = restored.shift()!;
    assert.deepEqual(await contentOf(address), content, `nobody wrote into ${address} since`);
    await ground.postgres.exec(`DROP DATABASE "${new URL(address).pathname.slice(1)}" WITH (FORCE)`);
  }
}

/** All backups, once more: with what each held when it was proven. Gives how many, and the objects that are in no manifest. */
export async function lookAgainAtBackups({
  ground,
  proven,
}: Lane): Promise<{ backups: number; strays: number }> {
  return withCatalog(ground.folder, async (catalog, vault) => {
    let strays = 0;
    for (const entry of catalog.backups) {
      strays += await countStrays(vault, entry);
      const content = await digestChain(vault, requireChain(catalog, entry));
      assert.deepEqual(content, proven.get(entry.manifest.backupId), entry.folder);
    }
    assert.deepEqual(catalog.damaged, []);
    return { backups: catalog.backups.length, strays };
  });
}

interface Outcome {
  readonly stdout: string;
  readonly round: Pick<Round, 'kills' | 'failures' | 'warnings'>;
}

/** The same command again and again, as a timer or an operator would start it, killed at random, until it is done. */
async function runUntilDone(lane: Lane, words: readonly string[]): Promise<Outcome> {
  const { world, ground, random } = lane;
  lane.begunMs = performance.now();
  const all = [...words, '--vault', 'vault', '--json', '--no-progress', ...world.flags];
  const failures: string[] = [];
  const warnings: string[] = [];
  const untilMs = performance.now() + HANGS_MS;
  for (let kills = 0; kills + failures.length < MOST_RUNS; ) {
    const isKilled = random.unit() < 0.45 && !wantsCalm(lane);
    const { code, stdout, stderr } = await runOnce(
      ground.folder,
      all,
      isKilled ? 1000 + random.below(11_000) : null,
      untilMs,
    );
    warnings.push(...wordsOf(stderr));
    if (code === 0) return { stdout, round: { kills, failures, warnings } };
    if (performance.now() > untilMs)
      assert.fail(`${words[0]} hangs: ${stdout}${stderr}\n${await world.describe()}`);
    if (code === null) kills += 1;
    else if (code === RETRYABLE) failures.push(stderr.trim());
    else assert.fail(`${words.join(' ')} ended with ${code}: ${stderr}\n${await world.describe()}`);
    await sleep(random.below(1500));
  }
  return assert.fail(`${words[0]} was never done: ${failures.join('\n')}`);
}

async function runOnce(
  folder: string,
  words: readonly string[],
  killAfterMs: number | null,
  untilMs: number,
): Promise<Ran> {
  const child = startCommand(folder, words, { env: REPORTING });
  const leftMs = Math.max(0, untilMs - performance.now());
  const timers = [
    setTimeout(() => child.kill('SIGKILL'), Math.min(killAfterMs ?? leftMs, leftMs)),
    // What it still waits for is then in a file of that folder.
    setTimeout(() => child.kill('SIGUSR2'), leftMs - REPORT_MS),
  ];
  try {
    return await awaitCommand(child);
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

function wordsOf(stderr: string): string[] {
  return stderr.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return line === '' ? [] : [line];
    const { message } = JSON.parse(line) as { message?: string };
    return message === undefined ? [] : [message];
  });
}

/** Proves the full backups that were not there before. Gives how many. */
async function proveNew(lane: Lane): Promise<number> {
  const { ground, proven } = lane;
  return withCatalog(ground.folder, async (catalog, vault) => {
    const fresh = catalog.backups.filter(({ manifest }) => !proven.has(manifest.backupId));
    for (const entry of fresh) await proveOne(lane, vault, requireChain(catalog, entry));
    return fresh.length;
  });
}

async function proveOne({ ground, proven }: Lane, vault: Vault, chain: Chain): Promise<void> {
  const [entry] = chain as readonly [ChainMember];
  const { manifest } = entry;
  await countStrays(vault, entry);
  const checks = { quick: false, parallel: 1 } as const;
  const { overallValid, problems } = await verifyBackup({ vault, clock: testClock }, entry, checks);
  assert.ok(overallValid, JSON.stringify(problems));
  const own = await digestChain(vault, chain);
  assert.equal(own.events, manifest.totalEvents);
  proven.set(manifest.backupId, own);
  await withStoreAt(ground.store, async (store) => {
    const outcome = await takeIncremental(store, vault, chain);
    assert.equal(outcome.kind, 'taken', JSON.stringify(outcome));
    if (outcome.kind !== 'taken') return;
    const { manifest: link } = outcome.report;
    const held = await digestStore(store);
    proven.set(link.backupId, held);
  });
}

/** Objects of a committed backup that its manifest does not name: event files that somebody wrote behind it, and nothing else. */
async function countStrays(vault: Vault, { folder, manifest }: ChainMember): Promise<number> {
  const named = new Set([
    'manifest.json',
    ...manifest.files.flatMap(({ name, index }) => [name, index.name]),
  ]);
  const strays: string[] = [];
  for await (const { name } of vault.list(folder)) {
    const own = name.slice(folder.length);
    if (!named.delete(own)) strays.push(own);
  }
  assert.deepEqual([...named], [], `${folder} has all that its manifest names`);
  for (const name of strays) assert.match(name, /^events-/, `${folder}${name}`);
  return strays.length;
}

async function contentOf(address: string): Promise<Content> {
  const { events, digest } = await withStoreAt(address, digestStore);
  return { events, digest };
}
