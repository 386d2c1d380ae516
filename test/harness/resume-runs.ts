import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openVault } from '../../src/cli/wire.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { searchStreams } from '../../src/format/chain-events.ts';
import { addToContentDigest, contentDigestText, makeContentDigest } from '../../src/format/content-digest.ts';
import { asOwner } from '../stores/postgres/seeding.ts';
import { awaitCommand, digestAt, type Ran, startCommand } from './command.ts';
import type { TestPostgres } from './postgres.ts';
import { NAIVE_SCHEMA, startSlowWriters } from './slow-writers.ts';

/** A PostgreSQL store of some parts of 2 MiB, and a folder with a vault. */
export interface ResumeGround {
  readonly folder: string;
  readonly postgres: TestPostgres;
  readonly database: string;
  readonly store: string;
}

/** Fills a store with events of about 300 bytes: some 5000 of them are one part. */
export async function prepareResumeGround(
  folder: string,
  postgres: TestPostgres,
  events: number,
): Promise<ResumeGround> {
  const database = await postgres.createDatabase();
  const store = postgres.address(database);
  const made = await runBackup({ folder, postgres, database, store }, 'init', '--create-store');
  assert.equal(made.code, 0, made.stderr);
  await postgres.exec(NAIVE_SCHEMA, database);
  await postgres.exec(
    `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data, created_at)
     SELECT gen_random_uuid(), 'stream-' || i % 97, i / 97 + 1, 'Type',
            jsonb_build_object('n', i, 'text', repeat(md5(i::text), 4)), now()
       FROM generate_series(0, ${events - 1}) AS i`,
    database,
  );
  return { folder, postgres, database, store };
}

/**
 * Removes a random part of all events and vacuums, so that what is written next finds room in every block, also in those
 * of parts that will be finished.
 */
async function makeRoom({ postgres, database }: ResumeGround): Promise<void> {
  await asOwner(postgres, database, 'DELETE FROM eventcore_events WHERE random() < 0.04');
  await postgres.exec('VACUUM eventcore_events', database);
}

/** Small parts, written slowly: most kills come while some are finished and some are not. */
const SLOWLY = ['--part-size', '2', '--parallel', '2', '--level', '9', '--json'];

export function backUpSlowly(ground: ResumeGround, ...words: string[]): Promise<Ran> {
  return runBackup(ground, 'backup', 'full', ...SLOWLY, ...words);
}

export function startBackup({ folder, store }: ResumeGround, ...words: string[]) {
  const all = ['backup', 'full', ...SLOWLY, '--store', store, '--vault', 'vault', '--no-progress', ...words];
  const child = startCommand(folder, all);
  return { child, ended: awaitCommand(child) };
}

function runBackup({ folder, store }: ResumeGround, ...words: string[]): Promise<Ran> {
  const config = words[0] === 'init' ? ['--config', `${store.split('/').at(-1)}.yaml`] : [];
  const all = [...words, ...config, '--store', store, '--vault', 'vault', '--no-progress'];
  return awaitCommand(startCommand(folder, all));
}

/** Kills a backup when it has finished at least so many event files, by the number of its runs' chunk tables. */
async function killAfter(ground: ResumeGround, files: number): Promise<'killed' | 'finished'> {
  const { child, ended } = startBackup(ground);
  while (child.exitCode === null && (await unfinishedTables(ground)) < files) await sleep(5);
  child.kill('SIGKILL');
  return (await ended).code === null ? 'killed' : 'finished';
}

/** On a busy machine a run may end before its kill comes: then another one is begun. */
export async function requireKill(ground: ResumeGround, files: number): Promise<void> {
  for (let tries = 0; tries < 12; tries += 1) if ((await killAfter(ground, files)) === 'killed') return;
  assert.fail('each run ended before it was killed');
}

async function unfinishedTables({ folder }: ResumeGround): Promise<number> {
  const found = await withCatalog(folder, async ({ unfinished }, vault) => {
    let tables = 0;
    for (const entry of unfinished) {
      const names: string[] = [];
      for await (const { name } of vault.list(entry.folder)) names.push(name);
      if (!names.some((name) => name.endsWith('attempt-1.json'))) continue;
      tables += names.filter((name) => /events-\d+\.index$/.test(name)).length;
    }
    return tables;
  });
  return found;
}

export interface ResumeRound {
  readonly kills: number;
  readonly filesKept: number;
  readonly eventsKept: number;
  readonly eventsAdded: number;
}

/**
 * Kills a backup at random moments, and the runs that take it up, while writers with slow commits go on; then lets one
 * finish. It must hold exactly what the store holds.
 */
export async function killAndTakeUp(ground: ResumeGround, kills: number): Promise<ResumeRound> {
  const { store, folder } = ground;
  await makeRoom(ground);
  const options = { maxDelayMs: 800, maxEventsPerInsert: 40, positions: false };
  const writers = await startSlowWriters({ address: store, writers: 6, ...options });
  let killed = 0;
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      const already = await unfinishedTables(ground);
      const outcome = await killAfter(ground, already + Math.floor(Math.random() * 4));
      if (outcome === 'killed') killed += 1;
      await sleep(Math.random() * 600);
    }
  } finally {
    await writers.stop();
  }
  const ran = await backUpSlowly(ground);
  assert.equal(ran.code, 0, ran.stderr);
  const { backupId, resumed, totalEvents } = JSON.parse(ran.stdout);
  const content = await digestBackup(folder, backupId);
  assert.equal(content.events, totalEvents);
  assert.equal(content.digest, await digestAt(store));
  const { filesKept = 0, eventsKept = 0, eventsAdded = 0 } = resumed ?? {};
  return { kills: killed, filesKept, eventsKept, eventsAdded };
}

/** Over every event of a backup; equal to the digest of a store with the same events. Nothing but its own files is there. */
export async function digestBackup(
  folder: string,
  backupId: string,
): Promise<{ events: number; digest: string }> {
  return withCatalog(folder, async ({ backups }, vault) => {
    const backup = backups.find(({ manifest }) => manifest.backupId === backupId)!;
    const named = backup.manifest.files.flatMap(({ name, index }) => [name, index.name]);
    const there: string[] = [];
    for await (const { name } of vault.list(backup.folder)) there.push(name.slice(backup.folder.length));
    assert.deepEqual(there.sort(), [...named, 'manifest.json'].sort());
    const content = makeContentDigest();
    await searchStreams(vault, [backup], {
      names: () => 'all',
      take: (batch) => addToContentDigest(content, batch),
    });
    return { events: content.events, digest: contentDigestText(content) };
  });
}

export async function withCatalog<Result>(
  folder: string,
  work: (
    catalog: Awaited<ReturnType<typeof readCatalog>>,
    vault: ReturnType<typeof openVault>,
  ) => Promise<Result>,
): Promise<Result> {
  const vault = openVault(join(folder, 'vault'));
  await vault.open({ create: true });
  try {
    return await work(await readCatalog(vault), vault);
  } finally {
    await vault.close();
  }
}
