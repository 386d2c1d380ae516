import { BackupError, isBackupError } from '../core/errors.ts';
import type { EventBatch } from '../core/event-batch.ts';
import type { ManifestFile } from '../core/manifest.ts';
import type { Vault } from '../core/vault.ts';
import { type BundleSeal, beginSeal, isSealing, type WriteKeys } from '../format/bundle-seal.ts';
import { makeCompress } from '../format/compression.ts';
import { fetchChunks, readIndex, withPlain } from '../format/data-file-reader.ts';
import { type DataFileWriter, openDataFile } from '../format/data-file-writer.ts';
import { runFolder } from '../format/disaster-journal.ts';
import {
  parseSalvageName,
  type SalvageFile,
  type SalvageRecord,
  salvageFileNames,
  salvageScope,
  writeSalvage,
} from '../format/disaster-salvage.ts';
import { decodeLines } from '../format/heads.ts';
import { makeJsonlEncoder } from '../format/jsonl.ts';
import { readKeyRecords, unwrapKey } from '../format/key-record.ts';
import type { ReadKeys } from '../format/open-bundle.ts';
import type { Seal } from '../format/seal.ts';
import type { SalvagedStream } from './salvage-table.ts';

/** Files of one salvage while they are written. */
export interface SalvageWriter {
  readonly number: number;
  readonly seal: BundleSeal | null;
  /** Events, each a line. */
  add(batch: EventBatch): Promise<void>;
  /** Makes the files durable, then the record that names them. */
  finish(streams: readonly SalvagedStream[], about: SalvageAbout): Promise<SalvageRecord>;
  abort(): Promise<void>;
}

export type SalvageAbout = Omit<SalvageRecord, 'planId' | 'number' | 'software' | 'sealing' | 'files'>;

export interface SalvagePlace {
  readonly vault: Vault;
  readonly keys: WriteKeys;
  readonly planId: string;
  readonly software: string;
}

const LINES_AT_ONCE = 1000;
/** Numbers that are tried in a row, each taken by somebody else just then. */
const MOST_RACES = 10;

/**
 * Begins the next salvage of a plan, sealed where there are recipients. Throws `seal_required` when a vault that holds sealed things would
 * get plain ones: then nothing was written.
 */
export async function openSalvageFiles(place: SalvagePlace, createdAt: string): Promise<SalvageWriter> {
  for (let race = 1; ; race += 1) {
    try {
      return await openNext(place, createdAt);
    } catch (error) {
      if (!isBackupError(error, 'vault_object_exists') || race === MOST_RACES) throw error;
    }
  }
}

async function openNext(place: SalvagePlace, createdAt: string): Promise<SalvageWriter> {
  const { vault, keys, planId, software } = place;
  const folder = runFolder(planId);
  const number = (await greatestNumber(vault, folder)) + 1;
  const scope = salvageScope(planId, number);
  const names = salvageFileNames(number, isSealing(keys));
  const seal = await beginSeal(vault, keys, { folder, backupId: scope, createdAt, software });
  const events = await openLines(vault, folder, names.events, seal?.data ?? null);
  const encode = makeJsonlEncoder();
  return {
    ...{ number, seal },
    add: (batch) => events.add(encode(batch), batch.count),
    abort: () => events.abort(),
    async finish(streams, about) {
      const files = [
        asFile(await events.finish()),
        asFile(await writeStreams(vault, folder, names.streams, seal?.data ?? null, streams)),
      ] as const;
      const sealing = seal === null ? null : { cipher: seal.sealing.cipher, keyId: seal.sealing.keyId };
      const record = { planId, number, software, sealing, files, ...about };
      await writeSalvage(vault, record);
      return record;
    },
  };
}

/** What a killed run left counts too: nothing is written twice. */
async function greatestNumber(vault: Vault, folder: string): Promise<number> {
  let greatest = 0;
  for await (const { name } of vault.list(`${folder}salvage-`)) {
    greatest = Math.max(greatest, parseSalvageName(name.slice(folder.length))?.number ?? 0);
  }
  return greatest;
}

function openLines(vault: Vault, folder: string, name: string, seal: Seal | null): Promise<DataFileWriter> {
  const compress = makeCompress('none', null, true);
  return openDataFile(vault, { folder, name, role: 'events', compress, pending: 0, seal });
}

async function writeStreams(
  vault: Vault,
  folder: string,
  name: string,
  seal: Seal | null,
  streams: readonly SalvagedStream[],
): Promise<ManifestFile> {
  const file = await openLines(vault, folder, name, seal);
  try {
    for (let at = 0; at < streams.length; at += LINES_AT_ONCE) {
      const some = streams.slice(at, at + LINES_AT_ONCE);
      await file.add(Buffer.from(some.map((stream) => `${JSON.stringify(stream)}\n`).join('')), some.length);
    }
    return await file.finish();
  } catch (error) {
    await file.abort();
    throw error;
  }
}

function asFile({ role: _, ...file }: ManifestFile): SalvageFile {
  return file;
}

/** What opens a salvage; null when it is not sealed. Throws `key_missing`, `key_wrong` or `damaged`. */
export async function openSalvageSeal(
  vault: Vault,
  { planId, number, sealing }: SalvageRecord,
  { ring }: Pick<ReadKeys, 'ring'>,
): Promise<Seal | null> {
  if (sealing === null) return null;
  const scope = salvageScope(planId, number);
  const records = await readKeyRecords(vault, runFolder(planId), sealing.keyId);
  return { scope, key: await unwrapKey(records.get(sealing.keyId), { keyId: sealing.keyId, scope }, ring) };
}

/** The events as JSON lines, piece by piece; a piece is valid until the next one is asked for. Throws `damaged`. */
export async function* readSalvagedEvents(
  vault: Vault,
  record: SalvageRecord,
  seal: Seal | null,
): AsyncGenerator<Uint8Array> {
  yield* readChunks(vault, record, record.files[0], seal, (plain) => new Uint8Array(plain));
}

/** What became of each stream, in byte order of their names. Throws `damaged`. */
export async function* readSalvagedStreams(
  vault: Vault,
  record: SalvageRecord,
  seal: Seal | null,
): AsyncGenerator<SalvagedStream> {
  const decode = (plain: Uint8Array): unknown[] => decodeLines(plain, 'streams of a salvage');
  for await (const values of readChunks(vault, record, record.files[1], seal, decode)) {
    for (const value of values) yield streamOf(value);
  }
}

async function* readChunks<Chunk>(
  vault: Vault,
  { planId }: SalvageRecord,
  file: SalvageFile,
  seal: Seal | null,
  use: (plain: Uint8Array) => Chunk,
): AsyncGenerator<Chunk> {
  const folder = runFolder(planId);
  const form = { name: file.name, compression: 'none', seal } as const;
  const entries = await readIndex(vault, folder, { ...file, role: 'events' }, seal);
  for await (const chunk of fetchChunks(vault, folder + file.name, entries)) {
    yield await withPlain(chunk, form, use);
  }
}

function streamOf(value: unknown): SalvagedStream {
  const stream = value as SalvagedStream;
  const isNumber = (number: unknown): boolean => number === null || Number.isSafeInteger(number);
  const { streamId, events, firstVersion, lastVersion, merged, differing, retried, newLast, verdict } =
    stream ?? {};
  const numbers = [events, firstVersion, lastVersion, merged, differing, retried, newLast];
  if (typeof streamId === 'string' && numbers.every(isNumber) && typeof verdict === 'string') return stream;
  throw new BackupError('damaged', 'a line of the streams of a salvage is not one of a stream');
}
