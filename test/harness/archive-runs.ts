import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openVault } from '../../src/cli/wire.ts';
import { spanBytes } from '../../src/core/event-batch.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { readLogBlocks } from '../../src/format/log-reader.ts';
import { awaitCommand, type Ran, runCommand, startCommand, withStoreAt } from './command.ts';
import type { TestPostgres } from './postgres.ts';
import { NAIVE_SCHEMA, type SlowWriters, startSlowWriters } from './slow-writers.ts';

export interface ArchiveProofOptions {
  /** Archiver, server and vault are killed in turn, this many times in all. */
  readonly kills: number;
  readonly writers: number;
  readonly maxDelayMs: number;
  readonly pauseMs: number;
  readonly onProgress?: (text: string) => void;
}

export interface ArchiveProof {
  readonly events: number;
  readonly kills: Readonly<Record<Victim, number>>;
  readonly files: number;
}

const VICTIMS = ['archiver', 'server', 'vault'] as const;
type Victim = (typeof VICTIMS)[number];

interface Scene {
  readonly server: TestPostgres;
  readonly address: string;
  readonly database: string;
  readonly vault: string;
  readonly options: ArchiveProofOptions;
  archiver: {
    readonly child: ChildProcess;
    readonly ended: Promise<Ran>;
    /** Who read the slot before it; undefined once it does itself. */
    before: number | null | undefined;
  };
  writers: SlowWriters;
  committed: number;
}

/**
 * Kills archiver, server and vault in turn under load, then compares: the log must hold each event of the store once, each
 * stream's in order, without a gap; and a restore of base and log must be the store.
 */
export async function proveArchive(
  server: TestPostgres,
  folder: string,
  options: ArchiveProofOptions,
): Promise<ArchiveProof> {
  const database = await server.createDatabase();
  const address = server.address(database);
  await withStoreAt(address, (store) => store.initialise());
  await server.exec(NAIVE_SCHEMA, database);
  const vault = join(folder, 'vault');
  const base = await runCommand('/', ['archive', '--once', '--store', address, '--vault', vault]);
  assert.equal(base.code, 0, base.stderr);
  const scene: Scene = {
    ...{ server, address, database, vault, options, committed: 0 },
    archiver: startArchiver(address, vault),
    writers: await startWriters(address, options),
  };
  const kills = { archiver: 0, server: 0, vault: 0 };
  for (let kill = 0; kill < options.kills; kill += 1) {
    await sleep(Math.random() * options.pauseMs);
    const victim = VICTIMS[kill % VICTIMS.length]!;
    await KILL[victim](scene);
    kills[victim] += 1;
    await requireNotAhead(scene);
    options.onProgress?.(
      `${kill + 1} of ${options.kills} kills, ${scene.committed + scene.writers.committed()} events`,
    );
  }
  await sleep(options.pauseMs);
  const files = await settleAndCompare(scene, folder);
  return { events: files.events, files: files.files, kills };
}

const KILL: Readonly<Record<Victim, (scene: Scene) => Promise<void>>> = {
  archiver: async (scene) => {
    const reader = await slotReader(scene).catch(() => null);
    scene.archiver.child.kill('SIGKILL');
    await scene.archiver.ended;
    scene.archiver = { ...startArchiver(scene.address, scene.vault), before: reader };
  },
  // A process that dies hard takes all of the server down, which then recovers as after a crash.
  server: async (scene) => {
    const { server } = scene;
    const [row] = await server.exec(
      `SELECT pid FROM pg_stat_activity WHERE backend_type IN ('client backend', 'walsender')
        AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1`,
    );
    if (row !== undefined) process.kill(Number(row.pid), 'SIGKILL');
    await awaitServer(server);
    await scene.writers.stop();
    scene.committed += scene.writers.committed();
    await endPrepared(scene);
    scene.writers = await startWriters(scene.address, scene.options);
  },
  vault: async (scene) => {
    const { vault } = scene;
    // One that starts and finds no vault ends, as it should: the vault may not be mounted.
    await untilFollowing(scene);
    renameSync(vault, `${vault}.away`);
    await sleep(100 + Math.random() * 900);
    // What is made there meanwhile must not be taken for the vault.
    if (existsSync(vault)) renameSync(vault, `${vault}.wrong-${Date.now()}`);
    renameSync(`${vault}.away`, vault);
  },
};

/** Process of the server that reads the slot; null when none does. */
async function slotReader({ server }: Scene): Promise<number | null> {
  const [slot] = await server.exec('SELECT active_pid AS pid FROM pg_replication_slots');
  return slot?.pid == null ? null : Number(slot.pid);
}

/** Waits until the archiver has found its log in the vault: before that it does not read the slot. */
async function untilFollowing(scene: Scene): Promise<void> {
  const { archiver } = scene;
  for (let attempt = 0; archiver.before !== undefined; attempt += 1) {
    const reader = await slotReader(scene);
    if (reader !== null && reader !== archiver.before) archiver.before = undefined;
    else await sleep(50);
    assert.ok(attempt < 1200, 'the archiver does not follow the store');
  }
}

function startArchiver(address: string, vault: string): Scene['archiver'] {
  const words = ['archive', '--no-base', '--flush-ms', '100', '--idle-ms', '500'];
  const child = startCommand('/', [...words, '--store', address, '--vault', vault]);
  return { child, ended: awaitCommand(child), before: null };
}

function startWriters(address: string, { writers, maxDelayMs }: ArchiveProofOptions): Promise<SlowWriters> {
  const each = { writers, maxDelayMs, maxEventsPerInsert: 12 };
  return startSlowWriters({ address, ...each, positions: false, mayBreak: true });
}

async function awaitServer(server: TestPostgres): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    await sleep(50);
    const isUp = await server.exec('SELECT 1').then(
      () => true,
      () => false,
    );
    if (isUp) return;
  }
  throw new Error('the server did not come back');
}

/** Transactions that writers prepared and did not live to commit. */
async function endPrepared({ server, database }: Scene): Promise<void> {
  const rows = await server.exec('SELECT gid FROM pg_prepared_xacts');
  for (const { gid } of rows)
    await server.exec(`ROLLBACK PREPARED '${String(gid)}'`, database).catch(() => undefined);
}

/** What the server was told to forget must be in the vault already. */
async function requireNotAhead({ server, vault }: Scene): Promise<void> {
  const [slot] = await server.exec(
    "SELECT (confirmed_flush_lsn - '0/0'::pg_lsn)::text AS acknowledged FROM pg_replication_slots",
  );
  const [timeline] = await readLogCatalog(await openedVault(vault));
  const end = timeline!.spans.at(-1)!.to;
  const acknowledged = BigInt(String(slot!.acknowledged));
  assert.ok(acknowledged <= end, `acknowledged ${acknowledged}, the vault ends at ${end}`);
}

async function settleAndCompare(scene: Scene, folder: string): Promise<{ events: number; files: number }> {
  const { server, address, vault, archiver } = scene;
  await scene.writers.stop();
  await endPrepared(scene);
  archiver.child.kill('SIGINT');
  const ended = await archiver.ended;
  assert.equal(ended.code, 130, ended.stderr);
  const once = await runCommand('/', [
    'archive',
    '--once',
    '--no-base',
    '--store',
    address,
    '--vault',
    vault,
  ]);
  assert.equal(once.code, 0, once.stderr);
  const read = await readLog(vault);
  const rows = await server.exec('SELECT event_id::text AS id FROM eventcore_events', scene.database);
  const stored = new Set(rows.map(({ id }) => String(id).replaceAll('-', '')));
  assert.equal(read.ids.length, new Set(read.ids).size, 'no event is there twice');
  assert.deepEqual(read.ids.filter((id) => !stored.has(id)).slice(0, 3), [], 'nothing was made up');
  assert.equal(read.ids.length, stored.size, 'nothing is missing');
  const target = `sqlite:${join(folder, 'restored.db')}`;
  const restored = await runCommand('/', ['restore', '--to', target, '--vault', vault, '--json']);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal((JSON.parse(restored.stdout) as { eventsRestored: number }).eventsRestored, stored.size);
  return { events: stored.size, files: read.files };
}

/** Ids of all events, in the order of the log, which must be one unbroken one with each stream in order. */
async function readLog(path: string): Promise<{ ids: string[]; files: number }> {
  const vault = await openedVault(path);
  const timelines = await readLogCatalog(vault);
  assert.equal(timelines.length, 1);
  const { spans, gaps, problems } = timelines[0]!;
  assert.deepEqual({ gaps, problems, spans: spans.length }, { gaps: [], problems: [], spans: 1 });
  const ids: string[] = [];
  const versions = new Map<string, number>();
  for await (const block of readLogBlocks(vault, spans[0]!.files)) {
    const events = await block.events();
    for (let row = 0; events !== null && row < events.count; row += 1) {
      ids.push(Buffer.from(spanBytes(events, events.id, row)!).toString('hex'));
      const stream = Buffer.from(spanBytes(events, events.stream, row)!).toString();
      const version = events.versions[row]!;
      assert.equal(version, (versions.get(stream) ?? 0) + 1, `version of ${stream}`);
      versions.set(stream, version);
    }
  }
  return { ids, files: spans[0]!.files.length };
}

async function openedVault(path: string): Promise<Vault> {
  const vault = openVault(path);
  await vault.open({ create: false });
  return vault;
}
