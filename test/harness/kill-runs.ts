import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore, openVault } from '../../src/cli/wire.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { verifyBackup } from '../../src/integrity/verify/backup.ts';
import { makeBatch } from '../../src/testing/batches.ts';
import { testClock } from './memory-backup.ts';

/** Where killed commands work, and what each of them is to be held against. */
export interface KillGround {
  readonly kind: 'sqlite' | 'postgres';
  readonly folder: string;
  readonly source: string;
  readonly vault: string;
  readonly digest: string;
  readonly events: number;
  /** How long each command takes when nobody kills it. */
  readonly backupMs: number;
  readonly restoreMs: number;
  /** A new place to restore to. */
  readonly newTarget: () => Promise<string>;
}

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const STREAMS = 500;

/** Fills a store, takes one backup that stays, and measures how long the commands take. */
export async function prepareKillGround(
  kind: KillGround['kind'],
  folder: string,
  events: number,
  newAddress: () => Promise<string>,
): Promise<KillGround> {
  await mkdir(folder, { recursive: true });
  const source = await newAddress();
  const vault = join(folder, 'vault');
  const digest = await fillStore(source, events);
  const backupMs = await timed(() => expectSuccess(['backup', 'full', '--store', source, '--vault', vault]));
  const restoreMs = await timed(async () =>
    expectSuccess(['restore', '--to', await newAddress(), '--vault', vault]),
  );
  return { kind, folder, source, vault, digest, events, backupMs, restoreMs, newTarget: newAddress };
}

/** Kills a backup at a random moment: the vault then holds sound backups only, and the next one succeeds. */
export async function killOneBackup(ground: KillGround): Promise<'killed' | 'finished'> {
  const vault = join(ground.folder, `vault-${testClock.uuid()}`);
  const command = ['backup', 'full', '--store', ground.source, '--vault', vault];
  const outcome = await killAtRandom(command, ground.backupMs);
  const before = await countSoundBackups(vault, ground.events);
  await expectSuccess(command);
  assert.equal(await countSoundBackups(vault, ground.events), before + 1);
  await rm(vault, { recursive: true });
  return outcome;
}

/** Kills a restore at a random moment: the target then holds all or nothing, and the next restore succeeds. */
export async function killOneRestore(ground: KillGround): Promise<'killed' | 'finished'> {
  const target = await ground.newTarget();
  const command = ['restore', '--to', target, '--vault', ground.vault];
  const outcome = await killAtRandom(command, ground.restoreMs);
  await withStore(target, async (store) => {
    const { state } = await store.inspect();
    if (state === 'filled') assert.equal((await store.count()).events, ground.events);
    else await expectSuccess(command);
    assert.equal((await digestStore(store)).digest, ground.digest);
    await store.append([{ streamId: 'stream-1', events: [{ type: 'GoesOn', data: '{}' }] }]);
  });
  return outcome;
}

/**
 * Kills a merge at a random moment, while another process appends to one of the streams: the store then has what it had, or all
 * that the backup has, and every append that was acknowledged; and the next merge succeeds.
 */
export async function killOneMerge(ground: KillGround): Promise<'killed' | 'finished'> {
  const target = await ground.newTarget();
  await expectSuccess(['restore', '--to', target, '--vault', ground.vault, '--stream', 'stream-1']);
  const command = ['restore', '--to', target, '--vault', ground.vault, '--merge'];
  let appended = 0;
  const appending = withStore(target, async (store) => {
    const ends = Date.now() + ground.restoreMs;
    while (Date.now() < ends) {
      const append = store.append([{ streamId: 'stream-1', events: [{ type: 'GoesOn', data: '{}' }] }]);
      // SQLite tells a writer to come again where PostgreSQL lets it wait.
      await append.then(
        () => (appended += 1),
        () => undefined,
      );
      await sleep(10);
    }
  });
  const outcome = await killAtRandom(command, ground.restoreMs);
  await appending;
  await withStore(target, async (store) => {
    const perStream = ground.events / STREAMS;
    const { events } = await store.count();
    assert.ok([perStream, ground.events].includes(events - appended), `${events} with ${appended} appended`);
    await expectSuccess(command);
    assert.equal((await store.count()).events, ground.events + appended);
    const rows = await store.readStream('stream-1', { limit: perStream + appended + 1 });
    assert.deepEqual(
      rows.map(({ version }) => Number(version)),
      Array.from({ length: perStream + appended }, (_, i) => i + 1),
    );
  });
  return outcome;
}

async function fillStore(address: string, events: number): Promise<string> {
  return withStore(address, async (store) => {
    const session = await store.openRestore({ attemptId: testClock.uuid(), replace: false });
    const writer = await session.openWriter();
    for (let at = 0; at < events; at += 1000) {
      await writer.write(
        makeBatch(
          Array.from({ length: Math.min(1000, events - at) }, (_, i) => ({
            id: testClock.uuid(),
            streamId: `stream-${(at + i) % STREAMS}`,
            version: Math.floor((at + i) / STREAMS) + 1,
            data: JSON.stringify({ number: at + i, text: testClock.uuid().repeat(5) }),
            time: BigInt(at + i) * 1_000_000n,
          })),
        ),
      );
    }
    await writer.end();
    await session.finishLoad();
    await session.publish();
    return (await digestStore(store)).digest;
  });
}

async function withStore<Result>(
  address: string,
  work: (store: EventStore) => Promise<Result>,
): Promise<Result> {
  const store = await openStore(address);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Number of backups in the vault; each must be sound and hold all events. */
async function countSoundBackups(path: string, events: number): Promise<number> {
  const vault = openVault(path);
  try {
    await vault.open({ create: true });
    const catalog = await readCatalog(vault);
    assert.deepEqual(catalog.damaged, []);
    for (const backup of catalog.backups) {
      const result = await verifyBackup({ vault, clock: testClock }, backup, { quick: false, parallel: 1 });
      assert.ok(result.overallValid, JSON.stringify(result.problems));
      assert.equal(result.eventsChecked, events);
    }
    return catalog.backups.length;
  } finally {
    await vault.close();
  }
}

function start(args: readonly string[]): {
  child: ChildProcess;
  ended: Promise<{ code: number | null; text: string }>;
} {
  const child = spawn(process.execPath, [MAIN, ...args, '--no-progress'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  const ended = new Promise<{ code: number | null; text: string }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, text }));
  });
  return { child, ended };
}

async function killAtRandom(args: readonly string[], usualMs: number): Promise<'killed' | 'finished'> {
  const { child, ended } = start(args);
  await Promise.race([sleep(Math.random() * usualMs * 1.05), ended]);
  child.kill('SIGKILL');
  const { code, text } = await ended;
  assert.ok(code === null || code === 0, `${args.join(' ')} ended with ${code}: ${text}`);
  return code === null ? 'killed' : 'finished';
}

async function expectSuccess(args: readonly string[]): Promise<void> {
  const { code, text } = await start(args).ended;
  assert.equal(code, 0, `${args.join(' ')} ended with ${code}: ${text}`);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
