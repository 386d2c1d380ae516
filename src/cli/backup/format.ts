import { InvalidArgumentError, Option } from 'commander';
import type { FullBackupOptions } from '../../backup/full.ts';
import { BackupError } from '../../core/errors.ts';
import { CHUNK_FORMATS, type ChunkFormat, COMPRESSIONS, type Compression } from '../../core/manifest.ts';
import { LEVELS } from '../../format/compression.ts';
import type { BackupSettings } from '../config/file.ts';

/** Flags that say how a backup is written. */
export interface FormatFlags {
  readonly format?: ChunkFormat;
  readonly compression?: Compression;
  readonly level?: Level;
}

export const FORMAT = new Option('--format <format>', 'how chunks are written (default: columns)').choices(
  CHUNK_FORMATS,
);
export const COMPRESSION = new Option(
  '--compression <kind>',
  'how chunks are compressed (default: zstd)',
).choices(COMPRESSIONS);

type Level = number | 'max';

/** Event bytes of a chunk. `columns` writes payloads in about a quarter of their bytes. */
const CHUNK_BYTES = { columns: 4 << 20, jsonl: 1 << 20, msgpack: 1 << 20 } as const;
/** Larger chunks compress better, and cost memory. */
const MAX_LEVEL_CHUNK_BYTES = 8 << 20;

export function levelHelp(): string {
  const { gzip, zstd } = LEVELS;
  return `gzip ${gzip.min}–${gzip.max} (default: ${gzip.default}), zstd ${zstd.min}–${zstd.max} (default: ${zstd.default}), max: smallest, much slower`;
}

/** A parser for `--level`. */
export function readLevel(text: string): Level {
  if (text === 'max') return text;
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number, or max.');
}

/**
 * What flags and configuration ask for. A level belongs to its compression: one in the file does not go with another
 * compression from a flag. Throws `usage` for a level that there is not.
 */
export function chooseFormat(
  flags: FormatFlags,
  backup: BackupSettings,
): Pick<FullBackupOptions, 'format' | 'compression' | 'level' | 'chunkBytes'> {
  const compression = flags.compression ?? backup.compression ?? 'zstd';
  const fileLevel = compression === (backup.compression ?? 'zstd') ? backup.level : undefined;
  const asked = flags.level ?? fileLevel ?? null;
  const format = flags.format ?? backup.format ?? 'columns';
  const level = asked === 'max' ? (LEVELS[compression]?.max ?? null) : asked;
  if (level !== null) requireLevel(compression, level);
  return {
    format,
    compression,
    level,
    chunkBytes: asked === 'max' && format === 'columns' ? MAX_LEVEL_CHUNK_BYTES : CHUNK_BYTES[format],
  };
}

function requireLevel(compression: Compression, level: number): void {
  const range = LEVELS[compression];
  if (range !== null && level >= range.min && level <= range.max) return;
  throw new BackupError('usage', `${compression} has no level ${level}`, {
    hint:
      range === null
        ? 'leave the level out: nothing is compressed'
        : `levels of ${compression} are ${range.min} to ${range.max}, and max`,
  });
}
