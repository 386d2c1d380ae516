/**
 * A place where backups live. Adapters: vaults/memory, vaults/fs, vaults/s3; each passes
 * `testing/vault-contract.ts`.
 *
 * Promises: an object is written once and never overwritten; it is visible under its name only whole and only
 * after `commit` resolved; what `commit` resolved for survives a crash of this machine (directory) or of the
 * service (bucket). Reads after a commit see it. Names are `assertObjectName`'s.
 *
 * Errors: `vault_unreachable` (may work later), `vault_refused` (rights, a path that is a file), `vault_full`.
 */
export interface Vault {
  /** The address to show to people, without secrets. */
  readonly address: string;

  /** Makes sure that the vault can be used, creating an empty directory where there is none. */
  open(options: { create: boolean }): Promise<void>;

  /** Starts an object. Throws `vault_object_exists` when the name is taken, here or at commit. */
  createObject(name: string): Promise<ObjectWriter>;

  /**
   * Exactly `length` bytes from `offset`, in memory that is the caller's alone: it may change or free it. Throws `vault_object_missing` when there is no such object and
   * `damaged` when it ends before that. Idempotent.
   */
  readRange(name: string, offset: number, length: number): Promise<Uint8Array>;

  /** Size of an object, or null when there is none. */
  stat(name: string): Promise<ObjectInfo | null>;

  /** Objects whose names start with `prefix`, in byte order of their names. Unfinished ones do not show. */
  list(prefix: string): AsyncIterable<ObjectInfo>;

  /**
   * Gives a second object the content of a whole one, without moving bytes where the vault can. Create-only and durable as
   * a commit: throws `vault_object_exists` when the name is taken. The two share nothing that shows: either may be
   * removed, and the other stays. Throws `vault_object_missing` when there is no such object. The copy may have the time
   * of the other.
   */
  copyObject(from: string, to: string): Promise<void>;

  /** Removes an object; nothing happens when there is none. */
  removeObject(name: string): Promise<void>;

  /** Removes what killed writers left under `prefix` and that no name shows. Returns how many pieces. */
  removeLeftovers(prefix: string): Promise<number>;

  /**
   * Gives this vault an object that another one has, under the same name, without moving its bytes through this machine.
   * False, and nothing was done, where the two have no way to do that. Else as `copyObject`.
   */
  copyFrom(source: Vault, name: string): Promise<boolean>;

  /**
   * Asks that an object of an archive tier can be read, and says how far that is. `readable` at once where nothing is
   * archived. Asking again changes nothing. Throws `vault_object_missing`.
   */
  recall(name: string): Promise<Recall>;

  /**
   * Keeps an object from being removed by anybody until the hold is taken off, where the place itself can do that (a legal
   * hold of S3). False where it cannot.
   */
  setLegalHold(name: string, isHeld: boolean): Promise<boolean>;

  /** What the place gives beyond the promises above. */
  traits(): Promise<VaultTraits>;

  /** Bytes that this user may still write, as far as that can be told; null where nothing bounds it, or nobody knows. */
  freeBytes(): Promise<number | null>;

  close(): Promise<void>;
}

export interface ObjectInfo {
  readonly name: string;
  readonly sizeBytes: number;
  /** Milliseconds since 1970, by the vault's clock. */
  readonly modifiedAtMs: number;
  /** Names this one among all that were ever written under the name, where the place keeps them; a listing may leave it out. */
  readonly versionId?: string;
  /** It must be recalled before it can be read: `readRange` and `copyObject` throw `object_archived`. */
  readonly isArchived?: true;
}

export type Recall =
  | { readonly state: 'readable' }
  /** `usuallyMs`: how long that takes from when it was asked for, as the place promises it; null when nothing is known. */
  | { readonly state: 'asked' | 'under_way'; readonly usuallyMs: number | null };

export interface VaultTraits {
  /**
   * Objects cannot be removed or written over before their time: `governance` binds all but who has a special right,
   * `compliance` everybody. Null where the place knows no such thing.
   */
  readonly lock: { readonly mode: 'governance' | 'compliance'; readonly days: number } | null;
  /** What was written over or removed can still be read. */
  readonly keepsVersions: boolean;
  /**
   * How a name is kept from being written twice: `exact`, by the place itself; `claims`, by a claim that all writers of this
   * software respect, where the place has no such thing for large objects.
   */
  readonly createOnly: 'exact' | 'claims';
}

/** Writes one object from front to end. */
export interface ObjectWriter {
  /** Resolves when the writer can take more. The bytes may be reused after that. */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the object durable, then visible. */
  commit(): Promise<void>;
  /** Leaves no trace. Safe after a failed write or commit; does nothing after a successful commit. */
  abort(): Promise<void>;
}
