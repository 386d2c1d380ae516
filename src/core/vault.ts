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

  /** Bytes that this user may still write, as far as that can be told; null where nothing bounds it, or nobody knows. */
  freeBytes(): Promise<number | null>;

  close(): Promise<void>;
}

export interface ObjectInfo {
  readonly name: string;
  readonly sizeBytes: number;
  /** Milliseconds since 1970, by the vault's clock. */
  readonly modifiedAtMs: number;
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
