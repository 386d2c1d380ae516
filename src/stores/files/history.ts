import { hash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BackupError } from '../../core/errors.ts';
import type { FilesConfig } from './config.ts';
import { guarded, hasErrno } from './errors.ts';
import { linearise, type OrderFields } from './linearise.ts';
import { EVENTS, TRANSACTION_SUFFIX, transactionFile } from './paths.ts';
import { halfDone } from './staging.ts';
import { parseTransaction } from './transaction.ts';

/** All transactions of a store as they were at one moment, in EventCore's order. */
export interface History {
  readonly config: FilesConfig;
  readonly transactions: readonly Transaction[];
  /** How many events lie before each transaction; one entry more than there are transactions. */
  readonly starts: readonly number[];
  /** Of each event in that order: its version and the number of its stream. */
  readonly versions: Uint32Array;
  readonly streamOf: Uint32Array;
  readonly streams: readonly StreamFacts[];
  /** Those that no other names as its parent. */
  readonly tips: readonly string[];
  readonly faults: readonly Fault[];
  /** By its id in lower case. */
  readonly hasEvent: (id: string) => boolean;
}

export interface Transaction extends OrderFields {
  /** In `events/`. */
  readonly file: string;
  /** SHA-256 of the whole file in hex. */
  readonly digest: string;
}

export interface StreamFacts {
  readonly streamId: string;
  readonly events: number;
  readonly lastEventId: string;
}

/** Something with which EventCore opens the store all the same, and from which it reads less than was written. */
export interface Fault {
  readonly file: string;
  readonly kind: 'content-hash' | 'name' | 'parents' | 'duplicate-ids';
  readonly message: string;
}

interface Loaded extends Transaction {
  readonly streamNumbers: readonly number[];
  readonly firstEvent: number;
}

/** Whether there is a store. Throws `store_refused`. */
export async function storeExists({ root, address }: FilesConfig): Promise<boolean> {
  return guarded(`look at ${address}`, async () => {
    const stats = await fs.promises.stat(path.join(root, EVENTS)).catch((error: unknown) => {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return null;
      throw error;
    });
    return stats?.isDirectory() === true;
  });
}

/** Throws `not_an_event_store`. */
export async function requireStore(config: FilesConfig): Promise<void> {
  if (await storeExists(config)) return;
  const attempt = await halfDone(config);
  if (attempt !== null) {
    throw new BackupError(
      'not_an_event_store',
      `a restore into ${config.address} was killed while it put things in their place`,
      {
        hint: 'run `eventcore restore` into it again: it first puts back what was there',
      },
    );
  }
  throw new BackupError('not_an_event_store', `${config.address} holds no event store`, {
    hint: 'check the path: it names the folder that `events/` lies in; a store is made by EventCore, or by a restore',
  });
}

/** Names of all transaction files. */
export async function listTransactions({ root, address }: FilesConfig): Promise<string[]> {
  const names = await guarded(`list ${address}`, () => fs.promises.readdir(path.join(root, EVENTS)));
  return names.filter((name) => name.endsWith(TRANSACTION_SUFFIX));
}

/** How often files are looked for again whose children were there already. */
const MAX_LISTINGS = 10;
const FILES_PER_TURN = 64;

/**
 * Reads every transaction once. Files never change and are renamed into their place, parents before children; a listing that runs
 * beside writers may have a child without its parent, so it is repeated while that brings any. What is closed under parents then is a
 * state that the store was in. Throws `not_an_event_store`, `damaged` for faults that are not accepted.
 */
export async function loadHistory(config: FilesConfig): Promise<History> {
  const history = await examineHistory(config);
  if (config.damaged === 'refuse') assertSound(history);
  return history;
}

/** As `loadHistory`, whatever its faults. */
export async function examineHistory(config: FilesConfig): Promise<History> {
  await requireStore(config);
  const loading = beginLoading(config);
  for (let listing = 0; listing < MAX_LISTINGS; listing += 1) {
    const fresh = (await listTransactions(config)).filter((name) => !loading.seen.has(name));
    if (fresh.length === 0) break;
    for (const [i, name] of fresh.sort().entries()) {
      await guarded(`read ${name} of ${config.address}`, () => loading.load(name));
      if (i % FILES_PER_TURN === 0) await nextTurn();
    }
    if (loading.missingParents().length === 0) break;
  }
  return loading.finish();
}

function assertSound({ faults, config }: History): void {
  const [first] = faults;
  if (first === undefined) return;
  const others = faults.length === 1 ? '' : `, and ${faults.length - 1} more like it`;
  throw new BackupError('damaged', `${config.address}: ${first.message}${others}`, {
    hint:
      'EventCore leaves such events out without a word: take the files from Git, a clone or a backup, ' +
      'or add ?damaged=accept to the address to go on with what EventCore itself reads',
    facts: { faults: faults.length, file: first.file },
  });
}

function beginLoading(config: FilesConfig) {
  const seen = new Set<string>();
  const loaded = new Map<string, Loaded>();
  const rejected = new Set<string>();
  const faults: Fault[] = [];
  const streams = streamNumbering();
  const ids = idList();
  const missingParents = (): [Loaded, string][] =>
    [...loaded.values()].flatMap((transaction) =>
      transaction.parentIds
        .filter((id) => !loaded.has(id) && !rejected.has(id))
        .map((id): [Loaded, string] => [transaction, id]),
    );
  return {
    seen,
    missingParents,
    load: (name: string): void => {
      seen.add(name);
      const bytes = fs.readFileSync(path.join(config.root, EVENTS, name));
      const { header, events } = parseTransaction(bytes, name);
      const { transactionId, replicaId, parentIds, createdAt } = header;
      if (loaded.has(transactionId) || rejected.has(transactionId)) throw doubled(name, transactionId);
      if (name !== transactionFile(transactionId)) {
        faults.push({ file: name, kind: 'name', message: `${name} holds transaction ${transactionId}` });
      }
      if (events === null) {
        rejected.add(transactionId);
        const message = `${name} is not what was written: its content hash does not match`;
        faults.push({ file: name, kind: 'content-hash', message });
        return;
      }
      const firstEvent = ids.count();
      for (const { id } of events) {
        if (ids.add(id)) continue;
        faults.push({ file: name, kind: 'duplicate-ids', message: `${name} has event ${id} once more` });
      }
      loaded.set(transactionId, {
        ...{ transactionId, replicaId, parentIds, createdAt, file: name },
        digest: hash('sha256', bytes, 'hex'),
        streamNumbers: events.map(({ stream }) => streams.numberOf(stream)),
        firstEvent,
      });
    },
    finish: (): History => {
      for (const [{ file }, parent] of missingParents()) {
        faults.push({ file, kind: 'parents', message: `${file} builds on ${parent}, which is not there` });
      }
      return { ...assemble([...loaded.values()], streams.names, ids), config, faults };
    },
  };
}

function doubled(name: string, transactionId: string): BackupError {
  return new BackupError('damaged', `${name} holds transaction ${transactionId} once more`, {
    hint: 'which of the two EventCore reads is a matter of chance: remove the one that was copied',
  });
}

function streamNumbering() {
  const numbers = new Map<string, number>();
  const names: string[] = [];
  return {
    names,
    numberOf: (stream: string): number => {
      const known = numbers.get(stream);
      if (known !== undefined) return known;
      numbers.set(stream, names.length);
      names.push(stream);
      return names.length - 1;
    },
  };
}

type IdList = ReturnType<typeof idList>;

/** Ids in the order in which files were read, 16 bytes each. */
function idList() {
  const known = new Set<string>();
  const list: string[] = [];
  return {
    count: () => list.length,
    /** False when it was there already. */
    add: (id: string): boolean => {
      const packed = packId(id);
      const isNew = !known.has(packed);
      known.add(packed);
      list.push(packed);
      return isNew;
    },
    has: (id: string): boolean => known.has(packId(id)),
    at: (index: number): string => {
      const hex = Buffer.from(list[index]!, 'latin1').toString('hex');
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    },
  };
}

function packId(id: string): string {
  return Buffer.from(id.replaceAll('-', ''), 'hex').toString('latin1');
}

function assemble(
  loaded: readonly Loaded[],
  names: readonly string[],
  ids: IdList,
): Omit<History, 'config' | 'faults'> {
  const ordered = linearise(loaded);
  const starts = [0];
  for (const { streamNumbers } of ordered) starts.push(starts.at(-1)! + streamNumbers.length);
  const versions = new Uint32Array(starts.at(-1)!);
  const streamOf = new Uint32Array(versions.length);
  const heads = new Uint32Array(names.length);
  const lastEvents = new Uint32Array(names.length);
  for (const [i, { streamNumbers, firstEvent }] of ordered.entries()) {
    for (const [line, stream] of streamNumbers.entries()) {
      heads[stream]! += 1;
      lastEvents[stream] = firstEvent + line;
      versions[starts[i]! + line] = heads[stream]!;
      streamOf[starts[i]! + line] = stream;
    }
  }
  const parents = new Set(ordered.flatMap(({ parentIds }) => parentIds));
  return {
    transactions: ordered,
    ...{ starts, versions, streamOf, hasEvent: ids.has },
    streams: names.map((streamId, number) => ({
      streamId,
      events: heads[number]!,
      lastEventId: ids.at(lastEvents[number]!),
    })),
    tips: ordered
      .map(({ transactionId }) => transactionId)
      .filter((id) => !parents.has(id))
      .sort(),
  };
}

export function countEvents({ versions }: History): number {
  return versions.length;
}

/** What the first `count` transactions are, and in which order, in one SHA-256. */
export function digestOf({ transactions }: History, count: number): string {
  const texts = transactions
    .slice(0, count)
    .map(({ transactionId, digest }) => `${transactionId} ${digest}\n`);
  return hash('sha256', texts.join(''), 'hex');
}
