import { BackupError, isBackupError } from '../core/errors.ts';
import type { ManifestFile } from '../core/manifest.ts';
import type { ObjectInfo, Vault } from '../core/vault.ts';
import { readCatalog } from '../format/catalog.ts';
import { type Chain, type ChainMember, followChain, isBroken } from '../format/chain.ts';
import { type RebuildPorts, rebuildFile } from './rebuild-file.ts';
import { rebuildHeads } from './rebuild-heads.ts';

/**
 * A vault that has what can be made anew: event files of the store's events, heads of the event files. What it gives is believed no more than
 * what any other vault gives: it must have the digest that the manifest says. Objects are to be read from front to end.
 */
export function storeDonor(ports: RebuildPorts, signal?: AbortSignal): Vault {
  const { store, vault } = ports;
  let open: { readonly name: string; readonly source: ByteStream } | null = null;
  const close = async (): Promise<void> => {
    const { source } = open ?? {};
    open = null;
    await source?.close();
  };
  const refuse = async (): Promise<never> => {
    throw new BackupError('vault_refused', `${store.address} is a store: nothing is written to it here`);
  };
  return {
    address: store.address,
    open: async () => undefined,
    stat: async (name) => infoOf(await findPart(vault, name), name),
    list: async function* () {},
    readRange: async (name, offset, length) => {
      if (open?.name !== name || open.source.at !== offset) {
        await close();
        const part = await findPart(vault, name);
        if (part === null || offset !== 0) throw missing(name);
        open = { name, source: byteStream(bytesOf(ports, part, name, signal)) };
      }
      return open.source.read(length);
    },
    createObject: refuse,
    copyObject: refuse,
    copyFrom: async () => false,
    removeObject: refuse,
    removeLeftovers: async () => 0,
    recall: async () => ({ state: 'readable' }),
    setLegalHold: async () => false,
    traits: async () => ({ lock: null, keepsVersions: false, createOnly: 'exact' }),
    freeBytes: async () => null,
    close,
  };
}

interface Part {
  readonly chain: Chain;
  readonly file: ManifestFile;
  readonly sizeBytes: number;
}

/** The file of a backup that is, or whose chunk table is, the object of that name; null for all else. */
async function findPart(vault: Vault, name: string): Promise<Part | null> {
  const catalog = await readCatalog(vault);
  const entry = catalog.backups.find(({ folder }) => name.startsWith(folder));
  const file = entry?.manifest.files.find((one) =>
    [one.name, one.index.name].includes(name.slice(entry.folder.length)),
  );
  if (entry === undefined || file === undefined) return null;
  const isIndex = name === entry.folder + file.index.name;
  if (isIndex ? file.role !== 'heads' : !['events', 'heads'].includes(file.role)) return null;
  const chain = followChain(catalog, entry);
  refuseUnfit(isBroken(chain) ? null : chain, entry);
  return { chain: chain as Chain, file, sizeBytes: isIndex ? file.index.sizeBytes : file.sizeBytes };
}

function refuseUnfit(chain: Chain | null, { manifest }: ChainMember): void {
  if (manifest.sealed) {
    throw cannot(manifest.backupId, 'it is sealed, and no piece is ever sealed twice to the same bytes');
  }
  if (chain === null) throw cannot(manifest.backupId, 'a backup that it builds on is missing or damaged');
  if (chain.some((link) => link.manifest.sealed))
    throw cannot(manifest.backupId, 'a backup that it builds on is sealed');
}

function cannot(backupId: string, why: string): BackupError {
  return new BackupError(
    'vault_refused',
    `nothing of backup ${backupId} can be made anew from the store: ${why}`,
    {
      hint: 'heal it from another region, or take a new full backup',
    },
  );
}

function infoOf(part: Part | null, name: string): ObjectInfo | null {
  return part === null ? null : { name, sizeBytes: part.sizeBytes, modifiedAtMs: 0 };
}

async function* bytesOf(
  ports: RebuildPorts,
  { chain, file }: Part,
  name: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    if (file.role === 'events') {
      yield* rebuildFile(ports, chain, file, signal);
      return;
    }
    const bytes = (await rebuildHeads(ports.vault, chain, signal)).get(name);
    if (bytes === undefined) throw missing(name);
    yield bytes;
  } catch (error) {
    // What else is damaged in the vault is not for the object that is healed.
    if (!isBackupError(error, 'damaged', 'vault_object_missing')) throw error;
    throw cannot(chain.at(-1)!.manifest.backupId, error.message);
  }
}

function missing(name: string): BackupError {
  return new BackupError('vault_object_missing', `${name} cannot be made anew`);
}

/** Bytes as they are made, in pieces of the reader's choice. */
interface ByteStream {
  readonly at: number;
  /** Exactly so many bytes. Throws `damaged` when there are fewer. */
  read(length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

function byteStream(source: AsyncGenerator<Uint8Array>): ByteStream {
  let at = 0;
  let rest: Uint8Array = new Uint8Array(0);
  return {
    get at() {
      return at;
    },
    read: async (length) => {
      const bytes = new Uint8Array(length);
      let filled = 0;
      while (filled < length) {
        if (rest.length === 0) {
          const step = await source.next();
          if (step.done) throw new BackupError('damaged', `it ends after ${at + filled} bytes`);
          rest = step.value;
        }
        const taken = rest.subarray(0, length - filled);
        bytes.set(taken, filled);
        filled += taken.length;
        rest = rest.subarray(taken.length);
      }
      at += length;
      return bytes;
    },
    close: async () => {
      await source.return(undefined);
    },
  };
}
