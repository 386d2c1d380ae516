import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { BackupError } from '../../core/errors.ts';
import type { Transaction } from './application.ts';

/** One commit and what it did to paths. */
interface Commit {
  readonly hash: string;
  readonly timeMs: number;
  readonly author: string;
  readonly subject: string;
  readonly changes: Change[];
}

interface Change {
  readonly status: string;
  readonly before: string;
  readonly after: string;
  readonly paths: readonly string[];
}

/** Renames are found by equal content only: that reads no file, and so needs no network in a partial clone. */
const LOG_OPTIONS = [
  ...['log', '-z', '--raw', '--no-abbrev', '--find-renames=100%', '--no-show-signature', '--no-color'],
  ...['--encoding=UTF-8', '--format=%H%x1f%ct%x1f%an%x1f%s'],
];

/** Set in hooks; they would lead git away from the folder that it is asked about. */
const GIT_VARIABLES = ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE'];

/**
 * The newest commits of a repository, oldest first, as transactions: a path is a stream. At most `maxEvents` events
 * in all; a commit is taken whole, but for a single one that alone has more. Only names of authors are read, no
 * addresses. Throws `usage` where there is no git, no repository or no commit.
 */
export async function readGitHistory(
  folder: string,
  maxEvents: number,
  signal: AbortSignal,
): Promise<Transaction[]> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !GIT_VARIABLES.includes(name)),
  );
  const child = spawn('git', ['-C', folder, '--no-pager', ...LOG_OPTIONS, 'HEAD', '--'], {
    ...{ env, signal, stdio: ['ignore', 'pipe', 'pipe'] },
  });
  const complaint = firstLine(child.stderr);
  const ended = new Promise<string | null>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', async (code) => resolve(code === 0 ? null : await complaint));
  });
  const transactions: Transaction[] = [];
  let left = maxEvents;
  for await (const commit of readCommits(child.stdout)) {
    const events = commit.changes.flatMap((change) => eventsOf(commit, change));
    if (events.length > left && transactions.length > 0) break;
    const kept = events.slice(0, left);
    left -= kept.length;
    if (kept.length > 0) transactions.push({ timeMs: commit.timeMs, events: kept });
    if (left <= 0) break;
  }
  const isWhole = child.stdout.readableEnded;
  child.kill();
  const failure = await ended;
  if (isWhole && failure !== null) throw noHistory(folder, failure);
  if (transactions.length === 0) throw noHistory(folder, 'it has no commit that changed a file');
  return transactions.reverse();
}

function noHistory(folder: string, reason: string): BackupError {
  return new BackupError('usage', `no git history in ${folder}: ${reason}`, {
    hint: 'name the folder of a repository that has commits, or leave --git out',
  });
}

const MAX_COMPLAINT = 400;

async function firstLine(stream: Readable): Promise<string> {
  let text = '';
  for await (const part of stream.setEncoding('utf8')) if (text.length < MAX_COMPLAINT) text += part;
  return text.split('\n')[0]!.slice(0, MAX_COMPLAINT) || 'git failed';
}

/**
 * Output of `git log -z --raw`: for each commit its header, then for each change a part that starts with a colon and
 * one path, or two for a rename, all ended by NUL.
 */
async function* readCommits(stream: Readable): AsyncGenerator<Commit> {
  const parts = splitAtNul(stream);
  let commit: Commit | null = null;
  for await (const raw of parts) {
    const part = raw.startsWith('\n') ? raw.slice(1) : raw;
    if (part === '') continue;
    if (part.startsWith(':') && commit !== null) {
      commit.changes.push(await readChange(part, parts));
      continue;
    }
    if (commit !== null) yield commit;
    commit = readHeader(part);
  }
  if (commit !== null) yield commit;
}

/** `:100644 100644 <blob> <blob> M`, and the paths that follow it. */
async function readChange(part: string, parts: AsyncGenerator<string>): Promise<Change> {
  const [, , before, after, status] = part.split(' ');
  const paths: string[] = [];
  const count = status?.startsWith('R') || status?.startsWith('C') ? 2 : 1;
  while (paths.length < count) {
    const next = await parts.next();
    if (next.done) break;
    paths.push(next.value);
  }
  return { status: status ?? '', before: before ?? '', after: after ?? '', paths };
}

/** A year has about this many milliseconds, so this is about the year 9999. */
const LATEST_MS = 253_402_300_799_000;

function readHeader(part: string): Commit {
  const [hash, seconds, author, ...subject] = part.split('\u001f');
  const timeMs = Math.min(LATEST_MS, Math.max(0, Number(seconds) * 1000 || 0));
  return { hash: hash ?? '', timeMs, author: author ?? '', subject: subject.join(' '), changes: [] };
}

async function* splitAtNul(stream: Readable): AsyncGenerator<string> {
  let rest = '';
  for await (const text of stream.setEncoding('utf8')) {
    const parts: string[] = (rest + text).split('\0');
    rest = parts.pop()!;
    yield* parts;
  }
  if (rest !== '') yield rest;
}

/** A rename ends one stream and begins another: one transaction, two streams. */
function eventsOf(commit: Commit, { status, before, after, paths }: Change): Transaction['events'] {
  const { hash, author, subject } = commit;
  const event = (type: string, path: string, facts: Record<string, string>) => ({
    streamId: path,
    type,
    data: JSON.stringify({ path, commit: hash, author, subject, ...facts }),
  });
  const [path, target] = paths;
  if (path === undefined) return [];
  switch (status[0]) {
    case 'A':
      return [event('FileAdded', path, { blob: after })];
    case 'M':
    case 'T':
      return [event('FileChanged', path, { before, blob: after })];
    case 'D':
      return [event('FileRemoved', path, { before })];
    case 'R':
      return target === undefined
        ? []
        : [
            event('FileRenamed', path, { to: target, before }),
            event('FileAdded', target, { from: path, blob: after }),
          ];
    default:
      return [];
  }
}
