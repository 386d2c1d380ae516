import fs from 'node:fs/promises';
import path from 'node:path';
import type { CompanionRow } from '../../core/event-store.ts';
import type { FilesConfig } from './config.ts';
import { listFolder } from './durable.ts';
import { guarded, hasErrno } from './errors.ts';
import { eventSpans, readTransaction } from './events.ts';
import type { History, Transaction } from './history.ts';
import { decodeString, type EventSpans, sliceText } from './json-lines.ts';
import { CHECKPOINTS, INGESTION_LOG, subscriptionOf } from './paths.ts';
import { contentHash, eventHalves } from './transaction.ts';

/** Names of the tables as which a backup keeps what belongs to the events, with their columns. docs/eventcore-fs.md says what they are. */
export const INGESTION_TABLE = 'eventcore_fs_ingestion';
export const CHECKPOINT_TABLE = 'eventcore_fs_checkpoints';
export const TRANSACTION_TABLE = 'eventcore_fs_transactions';

export const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  [INGESTION_TABLE]: ['part', 'lines'],
  [CHECKPOINT_TABLE]: ['subscription_name', 'position'],
  [TRANSACTION_TABLE]: ['file', 'header', 'events', 'payload', 'payload_sha256'],
};

/** The ingestion log and the positions of consumers, of one moment. */
export interface LocalState {
  /** Whole lines. */
  readonly ingestionLog: string;
  readonly checkpoints: readonly (readonly [subscription: string, position: string])[];
}

/**
 * To be called before the events are listed. A position is one of an event that is in the log already, and an event is in the log
 * after its file is in its place: so with the positions read first, then the log, then the files, nothing points beyond what was read.
 */
export async function readLocalState({ root, address }: FilesConfig): Promise<LocalState> {
  return guarded(`read the checkpoints of ${address}`, async () => {
    const checkpoints: [string, string][] = [];
    for (const name of (await listFolder(path.join(root, CHECKPOINTS))).sort()) {
      const subscription = subscriptionOf(name);
      if (subscription === null) continue;
      checkpoints.push([
        subscription,
        (await fs.readFile(path.join(root, CHECKPOINTS, name), 'utf8')).trim(),
      ]);
    }
    const log = await fs.readFile(path.join(root, INGESTION_LOG), 'utf8').catch((error: unknown) => {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return '';
      throw error;
    });
    // The last line may be on its way.
    return { ingestionLog: log.slice(0, log.lastIndexOf('\n') + 1), checkpoints };
  });
}

const LINES_PER_ROW = 500;

/** The log comes before the positions: a restore takes these only where it has that. */
export async function* companionRows(history: History, local: LocalState): AsyncGenerator<CompanionRow> {
  const lines = local.ingestionLog.split('\n').slice(0, -1);
  for (let at = 0; at < lines.length; at += LINES_PER_ROW) {
    const values = {
      part: String(at / LINES_PER_ROW),
      lines: lines.slice(at, at + LINES_PER_ROW).join('\n'),
    };
    yield { table: INGESTION_TABLE, role: 'progress', values };
  }
  for (const [subscription, position] of local.checkpoints) {
    const values = { subscription_name: subscription, position };
    yield { table: CHECKPOINT_TABLE, role: 'checkpoints', values };
  }
  for (const [i, transaction] of history.transactions.entries()) {
    yield { table: TRANSACTION_TABLE, role: 'ledger', values: await transactionRow(history, i, transaction) };
  }
}

async function transactionRow(
  history: History,
  index: number,
  transaction: Transaction,
): Promise<Record<string, string | null>> {
  const bytes = await readTransaction(history, transaction);
  const payloadStart = bytes.indexOf(0x0a) + 1;
  const payload = bytes.subarray(payloadStart);
  const lines = Array.from(eventSpans(bytes));
  const events = lines.map((spans, line) => {
    const id = decodeString(bytes, spans.event_id!).toLowerCase();
    const written = sliceText(bytes, spans.stream_version!);
    const counted = String(history.versions[history.starts[index]! + line]!);
    return written === counted ? id : `${id}:${written}`;
  });
  const isUsual = isRebuilt(
    payload,
    lines.map((spans) => usualLine(bytes, spans)),
  );
  return {
    file: transaction.file,
    header: sliceText(bytes, { start: 0, end: payloadStart - 1 }),
    events: events.join(' '),
    payload: isUsual ? null : Buffer.from(payload).toString(),
    payload_sha256: contentHash(payload),
  };
}

/** Whether a restore makes the same bytes of the events' fields. It would move a carriage return. */
function isRebuilt(payload: Uint8Array, lines: readonly string[]): boolean {
  return !payload.includes(0x0d) && Buffer.from(lines.join('')).equals(payload);
}

function usualLine(bytes: Uint8Array, spans: EventSpans): string {
  const fields = {
    type: decodeString(bytes, spans.event_type!),
    data: sliceText(bytes, spans.event_data!),
    metadata: sliceText(bytes, spans.metadata!),
  };
  const id = decodeString(bytes, spans.event_id!).toLowerCase();
  const { head, tail } = eventHalves(id, decodeString(bytes, spans.stream_id!), fields);
  return head + sliceText(bytes, spans.stream_version!) + tail;
}
