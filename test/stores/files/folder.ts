import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { EventStore } from '../../../src/core/event-store.ts';
import { openFilesStore } from '../../../src/stores/files/store.ts';

/** A folder of EventCore's file backend, written as EventCore's sources say, and not by what is tested. */
export interface Folder {
  readonly root: string;
  readonly store: EventStore;
  /** Writes a transaction and gives its id. */
  write(transaction: TestTransaction): string;
  /** Puts a file into `events/`. */
  put(name: string, text: string | Uint8Array): void;
  /** Bytes of all of `events/`, by name. */
  files(): Record<string, string>;
}

export interface TestTransaction {
  readonly id?: string;
  readonly replica?: string;
  readonly parents?: readonly string[];
  readonly at?: string;
  /** Streams, one for each event; `a@3` has the version that its writer thought it had. */
  readonly events: readonly string[];
  readonly version?: 1 | 2;
  /** Lines in the place of those of `events`. */
  readonly payload?: string;
}

export function temporaryFolder(t: TestContext, options = '?fsync=none'): Folder {
  const place = fs.mkdtempSync(path.join(tmpdir(), 'eventcore-fs-'));
  t.after(() => fs.rmSync(place, { recursive: true, force: true }));
  return folderAt(path.join(place, 'store'), options);
}

export function folderAt(root: string, options = '?fsync=none'): Folder {
  const events = path.join(root, 'events');
  const put = (name: string, text: string | Uint8Array): void => {
    fs.mkdirSync(events, { recursive: true });
    fs.writeFileSync(path.join(events, name), text);
  };
  return {
    root,
    store: openFilesStore(`eventcore-fs:${root}${options}`),
    put,
    write: (transaction) => {
      const id = transaction.id ?? testId();
      put(`${id}.jsonl`, transactionText({ ...transaction, id }));
      return id;
    },
    files: () =>
      Object.fromEntries(
        fs.readdirSync(events).map((name) => [name, fs.readFileSync(path.join(events, name), 'utf8')]),
      ),
  };
}

let made = 0;

export function testId(): string {
  made += 1;
  return `01932f3e-7c00-7a01-8b02-${made.toString(16).padStart(12, '0')}`;
}

export const REPLICA = '01932f3e-0000-7000-8000-000000000001';

/** What serde_json makes of EventCore's structs. */
export function transactionText(transaction: TestTransaction & { readonly id: string }): string {
  const {
    id,
    replica = REPLICA,
    parents = [],
    at = '2026-11-23T04:05:06.123456789+00:00',
    version = 2,
  } = transaction;
  const bases: Record<string, number> = {};
  const lines = transaction.events.map((event, i) => {
    const [stream, advisory = '1'] = event.split('@') as [string, string?];
    bases[stream] ??= Number(advisory) - 1;
    return JSON.stringify({
      record: 'event',
      event_id: testId(),
      stream_id: stream,
      stream_version: Number(advisory),
      event_type: 'Tested',
      event_data: { of: id, i },
      metadata: {},
    });
  });
  const payload = transaction.payload ?? lines.map((line) => `${line}\n`).join('');
  const header = {
    record: 'header',
    format_version: version,
    transaction_id: id,
    replica_id: replica,
    parent_transaction_ids: parents,
    created_at: at,
    stream_bases: bases,
    ...(version === 2 ? { content_hash: createHash('sha256').update(payload).digest('hex') } : {}),
  };
  return `${JSON.stringify(header)}\n${payload}`;
}
