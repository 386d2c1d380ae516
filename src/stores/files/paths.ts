import path from 'node:path';

/** Where things lie in a store of EventCore's file backend, seen from its root. Only `events` is committed to Git. */
export const EVENTS = 'events';
export const INGESTION_LOG = path.join('index', 'ingestion.log');
export const CHECKPOINTS = 'checkpoints';
export const LOCK = '.lock';
export const LOCAL = '.eventcore';

/**
 * What goes when other events take the place of a store's: what was derived from the old ones, and the writer's identity. The
 * old history may live on in a clone; a writer that went on here with the same identity would collide with it there.
 */
export const REPLACED = [
  EVENTS,
  'index',
  CHECKPOINTS,
  path.join(LOCAL, 'snapshots'),
  path.join(LOCAL, 'replica_id'),
  path.join(LOCAL, 'replica_fingerprint'),
] as const;

export const TRANSACTION_SUFFIX = '.jsonl';
const CHECKPOINT_SUFFIX = '.json';

export function transactionFile(transactionId: string): string {
  return `${transactionId}${TRANSACTION_SUFFIX}`;
}

/** EventCore names a checkpoint's file by the bytes of the subscription's name in hex. */
export function checkpointFile(subscription: string): string {
  return `${Buffer.from(subscription).toString('hex')}${CHECKPOINT_SUFFIX}`;
}

/** The subscription whose checkpoint this file is; null when it is none. */
export function subscriptionOf(file: string): string | null {
  const match = /^((?:[0-9a-f]{2})*)\.json$/.exec(file);
  return match === null ? null : Buffer.from(match[1]!, 'hex').toString();
}
