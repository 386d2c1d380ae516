import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { BackupError } from '../../core/errors.ts';
import { formatBytes, formatCount } from '../../core/units.ts';

/** A file of manifests, or a folder that holds none that can be read as they are. */
export interface ManifestSource {
  /** As it is shown: relative where it lies below the working directory, `-` for stdin. */
  readonly file: string;
  readonly text: string;
  /** Named itself, and not come upon in a folder, where other files may be too. */
  readonly isNamed: boolean;
}

export interface ManifestSources {
  readonly sources: readonly ManifestSource[];
  /** Folders of Helm charts: templates, which are no manifests before they are rendered. */
  readonly charts: readonly string[];
}

interface Reading {
  readonly cwd: string;
  readonly stdin: Readable;
  readonly signal: AbortSignal;
}

const MOST_BYTES = 8 << 20;
const MOST_BYTES_IN_ALL = 64 << 20;
const MOST_FILES = 2_000;
const DEEPEST = 20;

/** What is in these files and folders, `-` being stdin. Throws `config_invalid` for what cannot be read, or is more than anyone writes. */
export async function readSources(names: readonly string[], reading: Reading): Promise<ManifestSources> {
  const found: Found = { files: new Map(), charts: [] };
  for (const name of new Set(names)) {
    if (name === '-') found.files.set('-', true);
    else await find(resolve(reading.cwd, name), found);
  }
  const sources: ManifestSource[] = [];
  let room = MOST_BYTES_IN_ALL;
  for (const [path, isNamed] of found.files) {
    const file = path === '-' ? '-' : shown(path, reading.cwd);
    const text = await readText(path, file, Math.min(room, MOST_BYTES), reading);
    room -= Buffer.byteLength(text);
    sources.push({ file, text, isNamed });
  }
  return { sources, charts: found.charts.map((path) => shown(path, reading.cwd)) };
}

function shown(path: string, cwd: string): string {
  const below = relative(cwd, path);
  return below === '' ? '.' : below.startsWith('..') ? path : below;
}

interface Found {
  /** Paths, and whether they were named themselves. */
  readonly files: Map<string, boolean>;
  readonly charts: string[];
}

async function find(path: string, found: Found): Promise<void> {
  if (await isFolder(path)) await findIn(path, found, 0);
  else found.files.set(path, true);
  requireFew(found);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Links to folders are not followed, so there are no circles; those to files are, as a mounted ConfigMap has them. */
async function findIn(folder: string, found: Found, depth: number): Promise<void> {
  if (depth > DEEPEST) return;
  const entries = await readdir(folder, { withFileTypes: true });
  if (entries.some(({ name }) => name === 'Chart.yaml')) {
    found.charts.push(folder);
    return;
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    if (entry.isDirectory()) await findIn(path, found, depth + 1);
    else if (/\.(ya?ml|json)$/i.test(entry.name) && !(await isFolder(path))) addFile(path, found);
    requireFew(found);
  }
}

function addFile(path: string, { files }: Found): void {
  if (!files.has(path)) files.set(path, false);
}

function requireFew({ files }: Found): void {
  if (files.size <= MOST_FILES) return;
  throw new BackupError('config_invalid', `more than ${formatCount(MOST_FILES)} files of YAML or JSON`, {
    hint: 'name the folders that hold manifests',
  });
}

async function readText(
  path: string,
  file: string,
  most: number,
  { stdin, signal }: Reading,
): Promise<string> {
  const stream = addAbortSignal(signal, path === '-' ? stdin : createReadStream(path));
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk as Uint8Array);
      size += bytes.length;
      if (size > most) throw tooLarge(file);
      chunks.push(bytes);
    }
  } catch (cause) {
    if (cause instanceof BackupError || signal.aborted) throw cause;
    throw unreadable(file, cause);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function tooLarge(file: string): BackupError {
  const message = `${file}: more than ${formatBytes(MOST_BYTES)} of manifests, or ${formatBytes(MOST_BYTES_IN_ALL)} in all`;
  return new BackupError('config_invalid', message, { hint: 'name fewer files at once' });
}

function unreadable(path: string, cause: unknown): BackupError {
  const { code } = cause as NodeJS.ErrnoException;
  return new BackupError('config_invalid', `cannot read ${path} (${code ?? 'unknown'})`, {
    hint:
      code === 'ENOENT'
        ? 'name a file or a folder that is there, or - for stdin'
        : 'check that it may be read',
    cause,
  });
}
