import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../core/errors.ts';
import type { AppendResult, NewEvent, StreamAppend } from '../../core/event.ts';
import { assertAppends } from '../../core/new-event.ts';
import { timeFromUnixMs } from '../../core/time.ts';
import type { FilesConfig } from './config.ts';
import { syncFolder, writeNew } from './durable.ts';
import { guarded } from './errors.ts';
import { type History, loadHistory, requireStore } from './history.ts';
import { inOneLine } from './json-lines.ts';
import { notStorable, timeText } from './loaded-events.ts';
import { lockStore } from './lock.ts';
import { nextUuid } from './new-transactions.ts';
import { EVENTS, transactionFile } from './paths.ts';
import { encodeTransaction, eventHalves } from './transaction.ts';

/** How long another append may take. EventCore holds the lock for as long as it runs. */
const WAIT_MS = 5000;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Of this process, and no other's: appends of one writer follow one another, which the lock sees to in each store. */
const replicaId = nextUuid();

/** One transaction on top of all that are there, as EventCore writes it. */
export async function appendEvents(
  config: FilesConfig,
  appends: readonly StreamAppend[],
): Promise<AppendResult> {
  assertAppends(appends);
  await requireStore(config);
  const lock = await guarded(`lock ${config.address}`, () => lockStore(config, WAIT_MS));
  try {
    const history = await loadHistory(config);
    const made = makeTransaction(history, appends);
    for (const id of made.ids) if (history.hasEvent(id)) throw knownId(id);
    if (made.ids.size > 0) {
      lock.assertHeld();
      await guarded(`append to ${config.address}`, () => writeTransaction(config, made));
    }
    return { heads: made.heads };
  } finally {
    await lock.release();
  }
}

interface MadeTransaction {
  readonly transactionId: string;
  readonly bytes: Uint8Array;
  readonly ids: ReadonlySet<string>;
  readonly heads: ReadonlyMap<string, bigint>;
}

function makeTransaction(history: History, appends: readonly StreamAppend[]): MadeTransaction {
  const heads = new Map(history.streams.map(({ streamId, events }) => [streamId, events]));
  const streamBases: [string, number][] = [];
  const written = new Map<string, bigint>();
  const ids = new Set<string>();
  const lines: string[] = [];
  for (const { streamId, expectedVersion, events } of appends) {
    let head = heads.get(streamId) ?? 0;
    if (expectedVersion !== undefined && BigInt(head) !== expectedVersion)
      throw conflict(streamId, head, expectedVersion);
    if (!streamBases.some(([stream]) => stream === streamId)) streamBases.push([streamId, head]);
    for (const event of events) {
      head += 1;
      lines.push(lineOf(streamId, head, event, ids));
    }
    heads.set(streamId, head);
    if (events.length > 0) written.set(streamId, BigInt(head));
  }
  const transactionId = nextUuid();
  const header = {
    ...{ transactionId, replicaId, parentIds: history.tips },
    createdAt: timeText(timeFromUnixMs(Date.now())),
    streamBases: Object.fromEntries(streamBases),
  };
  const bytes = encodeTransaction(header, Buffer.from(lines.join('')));
  return { transactionId, bytes, ids, heads: written };
}

function lineOf(streamId: string, version: number, event: NewEvent, ids: Set<string>): string {
  const id = (event.id ?? nextUuid()).toLowerCase();
  if (!UUID.test(id)) throw notStorable(`event ${JSON.stringify(id)} has an id that is no UUID`);
  if (ids.has(id)) throw knownId(id);
  ids.add(id);
  const { type, data, metadata = '{}' } = event;
  const halves = eventHalves(id, streamId, { type, data: inOneLine(data), metadata: inOneLine(metadata) });
  return halves.head + version + halves.tail;
}

/** As EventCore: durable under another name first, then renamed. */
async function writeTransaction(
  { root, fsync }: FilesConfig,
  { transactionId, bytes }: MadeTransaction,
): Promise<void> {
  const temporary = path.join(root, 'tmp', `${transactionFile(transactionId)}.tmp`);
  await fs.mkdir(path.dirname(temporary), { recursive: true });
  await writeNew(temporary, bytes, fsync);
  await fs.rename(temporary, path.join(root, EVENTS, transactionFile(transactionId)));
  if (fsync === 'full') await syncFolder(path.join(root, EVENTS));
}

function knownId(id: string): BackupError {
  return new BackupError('event_invalid', `there is already an event ${id}`, {
    hint: 'leave the id out, and the store makes one',
  });
}

function conflict(streamId: string, head: number, expected: bigint): BackupError {
  return new BackupError(
    'version_conflict',
    `stream ${JSON.stringify(streamId)} is at version ${head}, not ${expected}`,
    {
      hint: 'read the stream again and decide anew',
      facts: { streamId, version: String(head), expectedVersion: String(expected) },
    },
  );
}
