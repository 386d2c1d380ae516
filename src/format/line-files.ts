import crypto from 'node:crypto';
import { BackupError } from '../core/errors.ts';
import type { CompanionRow } from '../core/event-store.ts';
import type { Compression, FileRole, ManifestFile } from '../core/manifest.ts';
import type { StreamTable } from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import { linesFileName } from './bundle.ts';
import { naming } from './bundle-damage.ts';
import { headsRole, storedForm } from './bundle-keys.ts';
import type { BundleSeal } from './bundle-seal.ts';
import type { ChainMember } from './chain.ts';
import { makeCompress } from './compression.ts';
import { fetchChunks, readIndex, withPlain } from './data-file-reader.ts';
import { type DataFileWriter, openDataFile } from './data-file-writer.ts';
import { decodeHeads, decodeLines, encodeHeads, type HeadLine } from './heads.ts';
import type { Seal } from './seal.ts';

interface LineFileOptions {
  readonly compression: Compression;
  readonly level: number | null;
  /** Null: not sealed. */
  readonly seal: Seal | null;
}

export interface BundleFileOptions extends Omit<LineFileOptions, 'seal'> {
  /** Null: not sealed. */
  readonly seal: BundleSeal | null;
}

const COMPANIONS_CHUNK_BYTES = 1 << 20;

/**
 * Writes the heads file: one line a stream, in the byte order of their names. The digest is the SHA-256 (hex) of
 * the plain lines: equal for equal stores, however they are cut into chunks.
 */
async function writeHeadsFile(
  vault: Vault,
  folder: string,
  options: LineFileOptions,
  table: StreamTable,
  role: 'heads' | 'memory' = 'heads',
): Promise<{ file: ManifestFile; digest: string }> {
  const hash = crypto.createHash('sha256');
  const file = await openLinesFile(vault, folder, role, options);
  try {
    for (const chunk of encodeHeads(table)) {
      hash.update(chunk.plain);
      await file.add(chunk.plain, chunk.records);
    }
    return { file: await file.finish(), digest: hash.digest('hex') };
  } catch (error) {
    await file.abort();
    throw error;
  }
}

/** Writes the heads, and where the bundle is sealed once more for the host that writes them. */
export async function writeHeads(
  vault: Vault,
  folder: string,
  { seal, ...options }: BundleFileOptions,
  table: StreamTable,
): Promise<{ files: ManifestFile[]; digest: string }> {
  const { file, digest } = await writeHeadsFile(
    vault,
    folder,
    { ...options, seal: seal?.data ?? null },
    table,
  );
  if (seal === null || seal.memory === null) return { files: [file], digest };
  const own = { ...options, seal: seal.memory };
  const memory = await writeHeadsFile(vault, folder, own, table, 'memory');
  return { files: [file, memory.file], digest };
}

/** Writes what belongs to the events; null, and no file, when there is nothing. */
export async function writeCompanionsFile(
  vault: Vault,
  folder: string,
  { seal, ...options }: BundleFileOptions,
  rows: AsyncIterable<CompanionRow>,
): Promise<ManifestFile | null> {
  let file: DataFileWriter | null = null;
  try {
    for await (const chunk of companionChunks(rows)) {
      file ??= await openLinesFile(vault, folder, 'companions', { ...options, seal: seal?.data ?? null });
      await file.add(chunk.plain, chunk.records);
    }
    return file === null ? null : await file.finish();
  } catch (error) {
    await file?.abort();
    throw error;
  }
}

async function* companionChunks(rows: AsyncIterable<CompanionRow>): AsyncGenerator<LinesChunk> {
  let lines: string[] = [];
  let length = 0;
  for await (const { table, role, values } of rows) {
    const line = `${JSON.stringify({ table, role, values })}\n`;
    lines.push(line);
    length += line.length;
    if (length < COMPANIONS_CHUNK_BYTES) continue;
    yield { plain: Buffer.from(lines.join('')), records: lines.length };
    lines = [];
    length = 0;
  }
  if (lines.length > 0) yield { plain: Buffer.from(lines.join('')), records: lines.length };
}

interface LinesChunk {
  readonly plain: Uint8Array;
  readonly records: number;
}

function openLinesFile(
  vault: Vault,
  folder: string,
  role: 'heads' | 'companions' | 'memory',
  { compression, level, seal }: LineFileOptions,
): Promise<DataFileWriter> {
  const name = linesFileName(role, { compression, isSealed: seal !== null });
  const compress = makeCompress(compression, level, true);
  return openDataFile(vault, { folder, name, role, compress, pending: 0, seal });
}

/** The heads of a backup, stream by stream. Throws `damaged` at the first chunk that is. */
export async function* readHeads(vault: Vault, bundle: ChainMember): AsyncGenerator<HeadLine> {
  for await (const heads of readLinesFile(vault, bundle, headsRole(bundle), decodeHeads)) yield* heads;
}

/** Gives each plain chunk of a backup's heads to `take`; it is valid until `take` returns. Throws `damaged`. */
export async function readHeadsChunks(
  vault: Vault,
  bundle: ChainMember,
  take: (plain: Uint8Array) => void,
): Promise<void> {
  for await (const _ of readLinesFile(vault, bundle, headsRole(bundle), (plain) => [take(plain)]));
}

/** The companion rows of a backup, in the order of the store. Throws `damaged` at the first chunk that is. */
export async function* readCompanions(vault: Vault, bundle: ChainMember): AsyncGenerator<CompanionRow> {
  const chunks = readLinesFile(vault, bundle, 'companions', decodeCompanions);
  for await (const rows of chunks) yield* rows;
}

async function* readLinesFile<Line>(
  vault: Vault,
  bundle: ChainMember,
  role: FileRole,
  decode: (plain: Uint8Array) => Line[],
): AsyncGenerator<Line[]> {
  const { folder, manifest } = bundle;
  for (const file of manifest.files) {
    if (file.role !== role) continue;
    const form = storedForm(bundle, file);
    const entries = await naming(folder, () => readIndex(vault, folder, file, form.seal));
    for await (const chunk of fetchChunks(vault, folder + file.name, entries)) {
      yield await naming(folder, () => withPlain(chunk, form, decode));
    }
  }
}

/** Reads one plain chunk of a companions file. Throws `damaged`. */
export function decodeCompanions(plain: Uint8Array): CompanionRow[] {
  return decodeLines(plain, 'companions').map((value) => {
    const row = value as CompanionRow;
    if (typeof row?.table === 'string' && typeof row.role === 'string' && isValues(row.values)) return row;
    throw new BackupError('damaged', 'a line of the companions is no row');
  });
}

function isValues(values: unknown): boolean {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) return false;
  return Object.values(values).every((value) => value === null || typeof value === 'string');
}
