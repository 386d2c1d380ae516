import type { StoreCursor, StoreKind } from './event-store.ts';

export const FORMAT_VERSION = 1;

export const CHUNK_FORMATS = ['columns', 'jsonl', 'msgpack'] as const;
export type ChunkFormat = (typeof CHUNK_FORMATS)[number];

export const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

export type BackupKind = 'full' | 'incremental';

/** What a backup is. Written last and once; without it there is no backup. FORMAT.md §3 is normative. */
export interface Manifest {
  readonly formatVersion: typeof FORMAT_VERSION;
  readonly backupId: string;
  readonly kind: BackupKind;
  readonly parentId: string | null;
  /** RFC 3339, when the snapshot of the store was taken. */
  readonly createdAt: string;
  readonly finishedAt: string;
  readonly durationMs: number;
  readonly software: string;
  readonly format: ChunkFormat;
  readonly compression: Compression;
  readonly level: number | null;
  readonly sealed: boolean;
  readonly store: ManifestStore;
  readonly totalEvents: number;
  readonly totalStreams: number;
  /** Bytes in the vault of all files but the manifest and key records; and of their content before compression. */
  readonly sizeBytes: number;
  readonly plainBytes: number;
  /** Null when the backup holds no event. */
  readonly eventRange: EventRange | null;
  readonly cursor: StoreCursor;
  /** Of an incremental backup only: what it adds to. */
  readonly chain?: ChainLink;
  /** SHA-256 (hex) of the plain bytes of the heads file. */
  readonly headsDigest: string;
  /** What the store itself had that a check would call damage; counted at backup time. */
  readonly oddities: Oddities;
  readonly files: readonly ManifestFile[];
  /** SHA-256 (hex) over the files' names, sizes and digests (FORMAT.md §3.3). */
  readonly checksum: string;
  /** Only when sealed. */
  readonly sealing?: ManifestSealing;
  /** Only when sealed: the proof, for who has the key, that this manifest is as it was written (hex). */
  readonly tag?: string;
  /** Only when signed. */
  readonly signature?: ManifestSignature;
}

export interface ManifestSealing {
  readonly cipher: 'AES-256-GCM';
  /** Names the key in the bundle's key records. */
  readonly keyId: string;
  /** Names the key of the memory file; null when there is none. */
  readonly memoryKeyId: string | null;
}

export interface ManifestSignature {
  /** `ed25519:` and the public key in base64url. */
  readonly signer: string;
  /** Base64. */
  readonly value: string;
}

/** What an incremental backup adds to, and what the chain holds with it. FORMAT.md §3.4 is normative. */
export interface ChainLink {
  /** The full backup that the chain begins with. */
  readonly baseId: string;
  /** `manifestChecksum` of the parent: a parent that was replaced shows. */
  readonly parentChecksum: string;
  /** Backups of the chain, this one included. */
  readonly length: number;
  /** Of all backups of the chain together. */
  readonly totalEvents: number;
  readonly totalStreams: number;
  /** How it was found out what is new. */
  readonly method: ChangeMethod;
}

/**
 * `transactions`: by the numbers of the transactions that the parent's view could not see. `rows`: by the numbers of rows, what
 * lies behind the parent's last one. `heads`: stream by stream, what lies behind the parent's last version.
 */
export type ChangeMethod = 'transactions' | 'rows' | 'heads';

export interface ManifestStore {
  readonly kind: StoreKind;
  readonly layout: string;
  readonly versionBase: 0 | 1;
  readonly serverVersion: string;
  /** Of the events' table in a store of others: names, and types as the store spells them. Backups of format 1 before it have none. */
  readonly columns?: Readonly<Record<string, string>>;
}

export interface EventRange {
  /** Earliest and latest `recordedAt`. */
  readonly earliestEvent: string;
  readonly latestEvent: string;
  readonly earliestVersion: string;
  readonly latestVersion: string;
}

export interface Oddities {
  /** Versions missing inside streams. */
  readonly missingVersions: number;
  /** Events that share stream and version with another. */
  readonly duplicateVersions: number;
  /** Streams whose first version is not the layout's base. */
  readonly oddFirstVersions: number;
  /** Events with an empty or nil id, an empty stream id or an empty type. */
  readonly emptyFields: number;
  /** Events whose version lies below the layout's base. */
  readonly belowBase: number;
  /** Events recorded more than a day after the backup was taken. */
  readonly futureTimes: number;
}

/** `memory`: the heads once more, for the host that wrote a sealed backup and cannot open it. */
export type FileRole = 'events' | 'heads' | 'companions' | 'memory';

export interface ManifestFile {
  readonly name: string;
  readonly role: FileRole;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly plainBytes: number;
  readonly chunks: number;
  /** Events, heads or companion rows. */
  readonly records: number;
  readonly index: { readonly name: string; readonly sizeBytes: number; readonly sha256: string };
}
