import { readFile, stat } from 'node:fs/promises';
import type { Server } from 'node:https';
import { createSecureContext, type SecureVersion } from 'node:tls';
import { BackupError } from '../../core/errors.ts';
import type { Log } from '../log.ts';
import type { TlsFiles } from './access.ts';

export const MIN_TLS_VERSION: SecureVersion = 'TLSv1.2';
/** How often the files are looked at. */
const LOOK_MS = 5000;

interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Throws `config_invalid` where they cannot be read, or are no certificate and its key. */
export async function readTls({ cert, key }: TlsFiles): Promise<TlsPair> {
  const pair = { cert: await readPart(cert, 'cert'), key: await readPart(key, 'key') };
  try {
    createSecureContext({ ...pair, minVersion: MIN_TLS_VERSION });
    return pair;
  } catch (cause) {
    const reason = (cause as { readonly reason?: string }).reason ?? 'they cannot be read';
    throw new BackupError(
      'config_invalid',
      `${cert} and ${key} are no certificate and its key: ${reason.toLowerCase()}`,
      { hint: 'both are in PEM, the key without a passphrase, and belong together', cause },
    );
  }
}

async function readPart(file: string, what: keyof TlsFiles): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new BackupError('config_invalid', `\`serve.tls.${what}\`: ${file} cannot be read (${code})`, {
      hint: 'name a file in PEM that this user may read',
      cause,
    });
  }
}

/**
 * Has new connections use what is in the files when it changes; those that are open go on. A certificate without its key, as while they are replaced
 * one after the other, leaves the old ones in force until both fit. Gives what ends it.
 */
export function followTls(
  server: Pick<Server, 'setSecureContext'>,
  files: () => TlsFiles,
  { log, lookMs = LOOK_MS }: { readonly log: Log; readonly lookMs?: number },
): () => void {
  let known: string | null = null;
  let trouble: string | null = null;
  let isLooking = false;
  const look = async (): Promise<void> => {
    const current = files();
    const state = await stateOf(current);
    if (state === known) return;
    try {
      const pair = await readTls(current);
      server.setSecureContext({ ...pair, minVersion: MIN_TLS_VERSION });
      // The first look finds what the server began with.
      if (known !== null || trouble !== null) log.info('the certificate was read anew');
      [known, trouble] = [state, null];
    } catch (error) {
      const { message } = error as Error;
      if (message !== trouble) log.error(`the old certificate stays in force: ${message}`);
      trouble = message;
    }
  };
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    void look().finally(() => {
      isLooking = false;
    });
  }, lookMs);
  timer.unref();
  return () => clearInterval(timer);
}

async function stateOf({ cert, key }: TlsFiles): Promise<string> {
  const one = async (file: string): Promise<string> => {
    try {
      const { mtimeMs, size, ino } = await stat(file);
      return `${file} ${mtimeMs} ${size} ${ino}`;
    } catch {
      return `${file} is gone`;
    }
  };
  return `${await one(cert)} ${await one(key)}`;
}
