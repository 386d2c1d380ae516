import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { BackupError, isBackupError } from '../core/errors.ts';
import { runSecretCommand } from './secret-command.ts';

/** Where a secret comes from; never the secret itself. */
export interface SecretSource {
  readonly kind: 'file' | 'env' | 'command';
  /** A path from the root, the name of a variable, or a line for the shell. */
  readonly value: string;
  /** A word without `file:` where a passphrase is wanted: it may be the passphrase itself, and is not shown. */
  readonly mayBeSecret?: true;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** No identity, passphrase or signing key is longer. */
export const MAX_SECRET_BYTES = 64 << 10;

const SOURCE = /^(file|env|command):(.*)$/s;

/** `file:PATH`, `env:NAME`, `command:LINE`; a bare word is a file. Paths are seen from `folder`. Throws `usage`. */
export function parseSecretSource(text: string, folder: string): SecretSource {
  refuseSecret(text);
  const [, kind = 'file', value = text] = SOURCE.exec(text) ?? [];
  if (value.trim() === '' || value.includes('\0')) {
    throw new BackupError('usage', `nothing stands behind \`${kind}:\``, {
      hint: 'a secret is named by file:PATH, env:NAME or command:LINE',
    });
  }
  if (kind === 'file') return { kind, value: resolve(folder, value) };
  if (kind === 'env' && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(value)) {
    throw new BackupError('usage', '`env:` is not followed by the name of a variable', {
      hint: 'a name has letters, digits and underscores, as env:BACKUP_PASSPHRASE',
    });
  }
  return { kind: kind as 'env' | 'command', value };
}

/** As `parseSecretSource`, for a passphrase: which looks like any word. */
export function parsePassphraseSource(text: string, folder: string): SecretSource {
  const source = parseSecretSource(text, folder);
  return source.kind === 'file' && !text.startsWith('file:') ? { ...source, mayBeSecret: true } : source;
}

/** Somebody may put the secret where its place belongs: then it must not show in an error that names the file. */
function refuseSecret(text: string): void {
  if (!/AGE-SECRET-KEY-|-----BEGIN/i.test(text)) return;
  throw new BackupError('usage', 'a secret stands where the place of a secret belongs', {
    hint: 'put it into a file that only you may read, and name that: file:PATH; take it as known to others by now',
  });
}

/** The source as it may be shown. A command's line can hold a secret. */
export function nameSource({ kind, value }: SecretSource): string {
  return kind === 'command'
    ? 'the output of the configured command'
    : kind === 'env'
      ? `the variable ${value}`
      : value;
}

/**
 * The secret, at most 64 KiB. Throws `key_refused`, which never shows anything of what was read: for what cannot be read, is empty or
 * too long, and for a file that others than its owner may read.
 */
export async function readSecret(source: SecretSource, env: Environment): Promise<Buffer> {
  const bytes = await readSource(source, env);
  if (bytes.length > 0 && bytes.length <= MAX_SECRET_BYTES) return bytes;
  throw new BackupError(
    'key_refused',
    `${nameSource(source)} is ${bytes.length === 0 ? 'empty' : 'too long for a secret'}`,
    { hint: `a secret has up to ${MAX_SECRET_BYTES} bytes` },
  );
}

async function readSource(source: SecretSource, env: Environment): Promise<Buffer> {
  const { kind, value } = source;
  if (kind === 'file') return readPrivateFile(source);
  if (kind === 'command') return runSecretCommand(value, env, MAX_SECRET_BYTES);
  const text = env[value];
  if (text !== undefined) return Buffer.from(text);
  throw new BackupError('key_refused', `the variable ${value} is not set`, {
    hint: 'set it, or name another source of the secret',
  });
}

async function readPrivateFile({ value: path, mayBeSecret }: SecretSource): Promise<Buffer> {
  let file: FileHandle | null = null;
  try {
    // What is read is what was looked at, whatever happens to the name meanwhile; links are followed. A pipe without a
    // writer would be waited for.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    await requirePrivate(file, path);
    return await readStart(file);
  } catch (cause) {
    if (isBackupError(cause)) throw cause;
    throw cannotRead(mayBeSecret ? null : path, (cause as NodeJS.ErrnoException).code ?? 'unknown');
  } finally {
    await file?.close();
  }
}

function cannotRead(path: string | null, code: string): BackupError {
  if (path === null) {
    return new BackupError('key_refused', `cannot read the file that is named for a passphrase (${code})`, {
      hint: 'name a file that holds the passphrase, as file:PATH; if the passphrase itself stands there, take it as known to others by now',
    });
  }
  return new BackupError('key_refused', `cannot read ${path} (${code})`, {
    hint:
      code === 'ENOENT'
        ? 'name a file that is there, or, if it is not needed here, take it out of `encryption:` in the configuration'
        : 'check that it is a file that you may read',
  });
}

/**
 * Whether nobody may read it but its owner, or, where root gave it to the reader, the reader's group. Kubernetes (`fsGroup`) and systemd (an access
 * control list, whose mask shows as the group's rights) hand secrets to a user who is not root in no other way.
 */
export function isPrivate(
  { mode, uid }: { readonly mode: number; readonly uid: number },
  reader: number,
): boolean {
  const forbidden = uid === 0 && reader !== 0 ? 0o037 : 0o077;
  return (mode & forbidden) === 0;
}

/** Windows tells rights in another way than by these bits. */
async function requirePrivate(file: FileHandle, path: string): Promise<void> {
  const found = await file.stat();
  if (!found.isFile()) {
    throw new BackupError('key_refused', `${path} is no file`, { hint: 'name a file that holds the secret' });
  }
  if (process.platform === 'win32' || isPrivate(found, process.getuid?.() ?? 0)) return;
  const mode = (found.mode & 0o777).toString(8);
  throw new BackupError('key_refused', `${path} is open to other users (mode ${mode})`, {
    hint: `chmod 600 ${path}; if others could read it, take its content as known to them`,
    facts: { path },
  });
}

/** One byte more than is allowed, so that its length shows what is too long. */
async function readStart(file: FileHandle): Promise<Buffer> {
  const buffer = Buffer.alloc(MAX_SECRET_BYTES + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, null);
    length += bytesRead;
    if (bytesRead === 0 || length === buffer.length) return buffer.subarray(0, length);
  }
}

/** Text without the line end that editors and `echo` leave. */
export function trimLineEnd(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/\r?\n$/, '');
}
