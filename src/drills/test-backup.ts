import { takeFullBackup } from '../backup/full.ts';
import { takeIncrementalBackup } from '../backup/incremental.ts';
import { BackupError } from '../core/errors.ts';
import type { StreamAppend } from '../core/event.ts';
import type { EventStore } from '../core/event-store.ts';
import type { Vault } from '../core/vault.ts';
import type { WriteKeys } from '../format/bundle-seal.ts';
import { readCatalog } from '../format/catalog.ts';
import { type Chain, newestRestorePoint } from '../format/chain.ts';
import { openChain } from '../format/open-bundle.ts';
import { verifyBackup } from '../integrity/verify/backup.ts';
import type { DrillContext } from './context.ts';
import { proofFailed } from './points.ts';

/** Events that a drill makes: in a store of its own, never in the one that is backed up. */
export const TEST_EVENTS = 1000;
const TEST_STREAMS = 40;
const STREAMS_AT_ONCE = 10;
const LATER_EVENTS = 100;

/** Writes test events as an application would: in transactions over several streams. */
export async function writeTestEvents(
  store: EventStore,
  events: number,
  random: () => number,
): Promise<void> {
  const perStream = Math.ceil(events / TEST_STREAMS);
  const appends = Array.from({ length: TEST_STREAMS }, (_, stream): StreamAppend => {
    return {
      streamId: `drill-order-${stream}`,
      events: Array.from({ length: perStream }, (_, n) => ({
        type: n === 0 ? 'OrderPlaced' : 'ItemAdded',
        data: JSON.stringify({ order: stream, n, cents: Math.floor(random() * 100_000), note: 'Größe 日本' }),
        metadata: JSON.stringify({ correlationId: `drill-${stream}-${n}` }),
      })),
    };
  });
  for (let from = 0; from < TEST_STREAMS; from += STREAMS_AT_ONCE)
    await store.append(appends.slice(from, from + STREAMS_AT_ONCE));
}

/** A full and an incremental backup of a store that a drill filled. Gives their chain, open where the keys open it. */
export async function backUpTestStore(
  context: DrillContext,
  store: EventStore,
  vault: Vault,
  keys: WriteKeys | undefined,
): Promise<Chain> {
  const { clock, settings, signal, random } = context;
  const { format, compression, software } = settings;
  const options = {
    ...{ format, compression, level: null, parallel: 1, chunkBytes: 2 << 20, software, signal },
  };
  const ports = { store, vault, clock, keys };
  const checking = { quick: false, parallel: 1, signal };
  await takeFullBackup(
    { ...ports, verify: (backup) => verifyBackup({ vault, clock }, backup, checking) },
    { ...options, resume: false },
  );
  const full = await readChain(context, vault);
  await writeTestEvents(store, LATER_EVENTS, random);
  const outcome = await takeIncrementalBackup(
    {
      ...ports,
      verify: (backup, before) => verifyBackup({ vault, clock }, backup, { ...checking, before }),
    },
    full,
    options,
  );
  if (outcome.kind === 'taken') return readChain(context, vault);
  const why = outcome.kind === 'full-needed' ? outcome.reason : 'the store is not what was backed up';
  throw proofFailed(`an incremental backup of the test data was not taken: ${why}`);
}

async function readChain({ keys }: DrillContext, vault: Vault): Promise<Chain> {
  const { chain } = newestRestorePoint(await readCatalog(vault), vault.address);
  return openChain(vault, chain, keys, keys.ring.canOpen ? 'all' : 'heads').catch((error) => {
    if (error instanceof BackupError && error.code === 'key_missing') return chain;
    throw error;
  });
}
