import { BackupError } from '../../src/core/errors.ts';
import type { Recall, Vault } from '../../src/core/vault.ts';

export interface ArchivedVault {
  readonly vault: Vault;
  /** Objects that were asked for, in order. */
  readonly asked: string[];
}

/** A vault some of whose objects are in an archive tier: they can be read after they were asked for so many times. */
export function archivedVault(inner: Vault, isArchived: (name: string) => boolean, looks = 1): ArchivedVault {
  const asked: string[] = [];
  const left = new Map<string, number>();
  const isAway = (name: string): boolean => isArchived(name) && left.get(name) !== 0;
  const refuse = (name: string): void => {
    if (isAway(name)) throw new BackupError('object_archived', `${name} is archived`);
  };
  const recall = async (name: string): Promise<Recall> => {
    await inner.recall(name);
    if (!isAway(name)) return { state: 'readable' };
    const isFirst = !left.has(name);
    left.set(name, (left.get(name) ?? looks) - (isFirst ? 0 : 1));
    if (isFirst) asked.push(name);
    if (left.get(name) === 0) return { state: 'readable' };
    return { state: isFirst ? 'asked' : 'under_way', usuallyMs: 12 * 3_600_000 };
  };
  const vault: Vault = {
    ...inner,
    recall,
    readRange: async (name, offset, length) => {
      refuse(name);
      return inner.readRange(name, offset, length);
    },
    copyObject: async (from, to) => {
      refuse(from);
      return inner.copyObject(from, to);
    },
    async *list(prefix) {
      for await (const info of inner.list(prefix)) {
        yield isAway(info.name) ? { ...info, isArchived: true } : info;
      }
    },
  };
  return { vault, asked };
}
