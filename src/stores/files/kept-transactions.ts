import { BackupError } from '../../core/errors.ts';
import type { CompanionRow } from '../../core/event-store.ts';
import { linearise, type OrderFields } from './linearise.ts';
import { eventsByVersion, type LoadedEvents, readLine } from './loaded-events.ts';
import type { NewFile } from './new-transactions.ts';
import { contentHash, type EventLine, parseTransaction } from './transaction.ts';

type Row = CompanionRow['values'];

/** A transaction with the numbers of its events among those that were loaded. */
interface Kept extends OrderFields {
  readonly events: readonly number[];
}

/**
 * The transactions as they were, byte for byte: each is made of the events that were loaded, held against the hash that was taken when
 * it was backed up, and read again as EventCore reads it. In the end each event must be in one of them, and EventCore's order must give
 * each the version that the backup has. Throws `damaged`.
 */
export function* keptTransactions(loaded: LoadedEvents, rows: readonly Row[]): Generator<NewFile> {
  eventsByVersion(loaded);
  const numbers = new Map(loaded.ids.map((id, event) => [id, event]));
  const kept: Kept[] = [];
  const known = new Set<string>();
  for (const row of rows) {
    const { file, events } = makeFile(loaded, numbers, row);
    const { header, events: lines } = parseTransaction(file.bytes, file.name);
    if (lines === null) throw misfit(`transaction ${file.name} does not match its content hash`);
    assertEvents(loaded, events, lines, file.name);
    if (known.has(header.transactionId)) throw misfit(`transaction ${header.transactionId} is there twice`);
    known.add(header.transactionId);
    kept.push({ ...header, events });
    yield file;
  }
  assertVersions(loaded, kept);
}

function makeFile(
  loaded: LoadedEvents,
  numbers: ReadonlyMap<string, number>,
  row: Row,
): { file: NewFile; events: number[] } {
  const { file, header, events: list, payload, payload_sha256: wanted } = row;
  if (file == null || !/^[^/\\\0]+\.jsonl$/.test(file) || header == null)
    throw misfit('a row of a transaction has no name or no header');
  const events: number[] = [];
  const lines: Uint8Array[] = [];
  for (const text of (list ?? '').split(' ').filter((part) => part !== '')) {
    const [id, advisory] = text.split(':') as [string, string?];
    const event = numbers.get(id);
    if (event === undefined) throw misfit(`event ${id} of ${file} is not in the backup`);
    events.push(event);
    if (payload == null) lines.push(readLine(loaded, event, advisory ?? loaded.versions[event]!));
  }
  const bytes = payload == null ? Buffer.concat(lines) : Buffer.from(payload);
  if (contentHash(bytes) !== wanted) throw misfit(`${file} is not what it was when it was backed up`);
  return { file: { name: file, bytes: Buffer.concat([Buffer.from(`${header}\n`), bytes]) }, events };
}

function assertEvents(
  { ids, streams, streamOf }: LoadedEvents,
  events: readonly number[],
  lines: readonly EventLine[],
  file: string,
): void {
  const isSame =
    events.length === lines.length &&
    lines.every(({ id, stream }, line) => {
      const event = events[line]!;
      return ids[event] === id && streams[streamOf[event]!] === stream;
    });
  if (!isSame) throw misfit(`${file} holds other events than the backup says`);
}

function assertVersions(loaded: LoadedEvents, kept: readonly Kept[]): void {
  const heads = new Uint32Array(loaded.streams.length);
  let events = 0;
  for (const transaction of linearise(kept)) {
    for (const event of transaction.events) {
      const stream = loaded.streamOf[event]!;
      heads[stream]! += 1;
      events += 1;
      if (heads[stream] === loaded.versions[event]) continue;
      throw misfit(
        `event ${loaded.ids[event]} would get version ${heads[stream]}, not ${loaded.versions[event]}`,
      );
    }
  }
  if (events !== loaded.ids.length)
    throw misfit(`${loaded.ids.length - events} events are in none of its transactions`);
}

function misfit(what: string): BackupError {
  return new BackupError(
    'damaged',
    `the transactions of the backup and its events do not belong together: ${what}`,
    {
      hint: 'run `eventcore verify` on the backup; SQLite and PostgreSQL can be restored into without its transactions',
    },
  );
}
