import { BackupError } from '../../core/errors.ts';
import { type Abilities, findAbilities } from './abilities.ts';
import type { S3Address } from './address.ts';
import { ask, type Connection, connect } from './connection.ts';
import { DEFAULT_LIMITS, type S3VaultOptions } from './options.ts';

/** A vault that may be open. */
export interface Handle {
  readonly at: S3Address;
  readonly open: () => Promise<void>;
  readonly close: () => void;
  /** Throws `internal` while it is closed. */
  readonly connection: () => Connection;
  /** Tried out once, when it is first needed. */
  readonly abilities: () => Promise<Abilities>;
}

interface Opened {
  readonly connection: Connection;
  readonly stop: AbortController;
  abilities: Promise<Abilities> | null;
}

export function makeHandle(at: S3Address, { credentials, limits }: S3VaultOptions): Handle {
  let opened: Opened | null = null;
  const current = (): Opened => {
    if (opened !== null) return opened;
    throw new BackupError('internal', `vault ${at.text} is not open`);
  };
  const close = () => {
    opened?.stop.abort();
    opened?.connection.s3.destroy();
    opened = null;
  };
  return {
    at,
    open: async () => {
      close();
      const stop = new AbortController();
      const settings = { limits: { ...DEFAULT_LIMITS, ...limits }, closed: stop.signal };
      const connection = await connect(at, settings, credentials);
      opened = { connection, stop, abilities: null };
      await proveReadable(connection);
    },
    close,
    connection: () => current().connection,
    abilities: () => {
      const open = current();
      open.abilities ??= findAbilities(open.connection).catch((error: unknown) => {
        open.abilities = null;
        throw error;
      });
      return open.abilities;
    },
  };
}

/** One small request tells a wrong address, missing credentials and a bucket that is not there. */
async function proveReadable(connection: Connection): Promise<void> {
  const { s3, at } = connection;
  await ask(connection, `open the vault ${at.text}`, (abortSignal) =>
    s3.listObjectsV2({ Bucket: at.bucket, Prefix: at.root, MaxKeys: 1 }, { abortSignal }),
  );
}
