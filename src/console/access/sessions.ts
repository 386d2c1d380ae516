import { createHash } from 'node:crypto';
import type { TokenEntry } from './tokens.ts';

const SESSION_ID_BYTES = 32;
export const SESSION_IDLE_MS = 12 * 3_600_000;
export const SESSION_LONGEST_MS = 7 * 24 * 3_600_000;
const MOST_SESSIONS = 1000;

/** Who is logged in, in memory only: a restart of the daemon ends all sessions. */
export interface Sessions {
  /** Gives the id that its cookie holds, which is kept nowhere. */
  readonly begin: (entry: TokenEntry) => string;
  /** The hash of the token that it was begun with, and what it is known by here; null where it is none or is over. */
  readonly find: (id: string) => { readonly tokenHash: string; readonly key: string } | null;
  readonly end: (id: string) => void;
  /** Ends those whose token is not among these any more. */
  readonly keepOnly: (tokenHashes: ReadonlySet<string>) => void;
}

export interface SessionPorts {
  readonly random: (bytes: number) => Uint8Array;
  /** A clock that is not set. */
  readonly nowMs: () => number;
}

interface Session {
  readonly tokenHash: string;
  readonly beganMs: number;
  readonly seenMs: number;
}

export function makeSessions({ random, nowMs }: SessionPorts): Sessions {
  // The one seen longest ago first.
  const sessions = new Map<string, Session>();
  const keyOf = (id: string): string => createHash('sha256').update(id).digest('hex');
  const isOver = ({ beganMs, seenMs }: Session): boolean =>
    nowMs() - seenMs > SESSION_IDLE_MS || nowMs() - beganMs > SESSION_LONGEST_MS;
  const endOld = (): void => {
    for (const [key, session] of sessions) if (isOver(session)) sessions.delete(key);
  };
  return {
    begin: ({ hash }) => {
      endOld();
      if (sessions.size >= MOST_SESSIONS) sessions.delete(sessions.keys().next().value!);
      const id = Buffer.from(random(SESSION_ID_BYTES)).toString('base64url');
      sessions.set(keyOf(id), { tokenHash: hash, beganMs: nowMs(), seenMs: nowMs() });
      return id;
    },
    find: (id) => {
      const key = keyOf(id);
      const session = sessions.get(key);
      if (session === undefined) return null;
      sessions.delete(key);
      if (isOver(session)) return null;
      sessions.set(key, { ...session, seenMs: nowMs() });
      return { tokenHash: session.tokenHash, key };
    },
    end: (id) => {
      sessions.delete(keyOf(id));
    },
    keepOnly: (tokenHashes) => {
      for (const [key, { tokenHash }] of sessions) if (!tokenHashes.has(tokenHash)) sessions.delete(key);
    },
  };
}
