import { setTimeout as sleep } from 'node:timers/promises';
import { type IncrementalOutcome, takeIncrementalBackup } from '../../src/backup/incremental.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import type { Chain } from '../../src/format/chain.ts';
import { searchStreams } from '../../src/format/chain-events.ts';
import { addToContentDigest, contentDigestText, makeContentDigest } from '../../src/format/content-digest.ts';
import { verifyBackup } from '../../src/integrity/verify/backup.ts';
import { newestChain } from './chain-backup.ts';
import { awaitCommand, startCommand } from './command.ts';
import { backupDefaults, testClock } from './memory-backup.ts';

/** An incremental backup on top of the newest one of the vault, verified. */
export async function takeIncremental(
  store: EventStore,
  vault: Vault,
  chain?: Chain,
): Promise<IncrementalOutcome> {
  const verify: Parameters<typeof takeIncrementalBackup>[0]['verify'] = (backup, before) =>
    verifyBackup({ vault, clock: testClock }, backup, { quick: false, parallel: 1, before });
  const ports = { store, vault, clock: testClock, verify };
  return takeIncrementalBackup(ports, chain ?? (await newestChain(vault)), backupDefaults);
}

/** A digest over all events of a chain: equal to that of a store with the same events. */
export async function digestChain(vault: Vault, chain: Chain): Promise<{ events: number; digest: string }> {
  const content = makeContentDigest();
  await searchStreams(vault, chain, {
    names: () => 'all',
    take: (batch) => addToContentDigest(content, batch),
  });
  return { events: content.events, digest: contentDigestText(content) };
}

/** Runs the command in a process of its own and kills it at some moment, or lets it end. */
export async function killIncremental(
  store: string,
  vault: string,
  withinMs: number,
): Promise<'killed' | 'finished'> {
  const child = startCommand('/', ['backup', 'incremental', '--store', store, '--vault', vault, '--quiet']);
  const ended = awaitCommand(child);
  await Promise.race([sleep(Math.random() * withinMs), ended]);
  child.kill('SIGKILL');
  const { code, stderr } = await ended;
  if (code !== null && code !== 0) throw new Error(`backup incremental ended with ${code}: ${stderr}`);
  return code === null ? 'killed' : 'finished';
}
