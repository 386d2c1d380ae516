import { BackupError } from '../core/errors.ts';

/** Who may open a key now, by the names of the recipients. */
export interface WrappedFor {
  readonly recipients: readonly string[];
}

const PASSPHRASE = 'passphrase';

export interface RewrapRequest {
  readonly add: readonly string[];
  readonly drop: readonly string[];
}

export interface RewrapStep<Key extends WrappedFor> {
  readonly key: Key;
  /** Recipients whose wrapped copies go over into the new record as they are. */
  readonly kept: readonly string[];
  /** Those for whom the key is wrapped now. */
  readonly added: readonly string[];
  readonly dropped: readonly string[];
  readonly isNeeded: boolean;
}

/**
 * What is to be done so that all keys are wrapped for those who are added and for none who is dropped. A key where this is so needs
 * nothing: a run that was interrupted goes on. Throws `usage` when a key would have no recipient left: nobody could open it.
 */
export function planRewrap<Key extends WrappedFor>(
  keys: readonly Key[],
  { add, drop }: RewrapRequest,
): RewrapStep<Key>[] {
  // All passphrases have one name: one takes the place of another.
  const both = add.find((name) => drop.includes(name) && name !== PASSPHRASE);
  if (both !== undefined) {
    throw new BackupError('usage', `${both} is both to be added and to be dropped`, {
      hint: 'pass it to one of the two',
    });
  }
  return keys.map((key) => planKey(key, add, drop));
}

function planKey<Key extends WrappedFor>(
  key: Key,
  add: readonly string[],
  drop: readonly string[],
): RewrapStep<Key> {
  const kept = key.recipients.filter((name) => !drop.includes(name));
  const dropped = key.recipients.filter((name) => drop.includes(name));
  const added = add.filter((name) => !kept.includes(name));
  if (kept.length + added.length === 0) {
    throw new BackupError('usage', 'without a recipient nobody could open what is sealed any more', {
      hint: 'add another recipient in the same run: --add RECIPIENT',
    });
  }
  return { key, kept, added, dropped, isNeeded: added.length + dropped.length > 0 };
}
