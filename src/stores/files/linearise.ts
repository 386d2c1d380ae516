import { BackupError } from '../../core/errors.ts';
import type { TransactionHeader } from './transaction.ts';

/** Fields of a header that decide where its transaction stands. */
export type OrderFields = Pick<TransactionHeader, 'transactionId' | 'replicaId' | 'parentIds' | 'createdAt'>;

/**
 * EventCore's order: by how many generations lie before a transaction, then by (created_at, replica_id, transaction_id). All of
 * it was recorded when it was written, so whoever has the same transactions has the same order. A parent that is not there counts
 * for nothing. Throws `damaged` where transactions are each other's ancestors.
 */
export function linearise<Item extends OrderFields>(transactions: readonly Item[]): Item[] {
  const depths = findDepths(transactions);
  const depthOf = ({ transactionId }: Item): number => depths.get(transactionId)!;
  return [...transactions].sort(
    (a, b) =>
      depthOf(a) - depthOf(b) ||
      compareText(a.createdAt, b.createdAt) ||
      compareText(a.replicaId, b.replicaId) ||
      compareText(a.transactionId, b.transactionId),
  );
}

/** In the order of the bytes, as Rust compares. */
function compareText(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Generation by generation: a chain may be longer than a stack. */
function findDepths(transactions: readonly OrderFields[]): Map<string, number> {
  const present = new Set(transactions.map(({ transactionId }) => transactionId));
  const open = new Map<string, number>();
  const children = new Map<string, string[]>();
  for (const { transactionId, parentIds } of transactions) {
    const parents = new Set(parentIds.filter((id) => present.has(id)));
    open.set(transactionId, parents.size);
    for (const parent of parents) {
      const own = children.get(parent);
      if (own === undefined) children.set(parent, [transactionId]);
      else own.push(transactionId);
    }
  }
  const depths = new Map<string, number>();
  let generation = [...open].filter(([, parents]) => parents === 0).map(([id]) => id);
  for (let depth = 0; generation.length > 0; depth += 1) {
    const next: string[] = [];
    for (const id of generation) {
      depths.set(id, depth);
      for (const child of children.get(id) ?? []) {
        const left = open.get(child)! - 1;
        open.set(child, left);
        if (left === 0) next.push(child);
      }
    }
    generation = next;
  }
  if (depths.size === transactions.length) return depths;
  const caught = transactions.find(({ transactionId }) => !depths.has(transactionId))!;
  throw new BackupError('damaged', `transaction ${caught.transactionId} is its own ancestor`, {
    hint: 'take the files that were edited from Git, a clone or a backup',
  });
}
