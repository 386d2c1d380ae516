import type { Random } from '../../../src/testing/random.ts';
import { mutate, pick } from '../engine/mutate.ts';
import { changeJson, mutateJson } from '../engine/mutate-json.ts';
import { changeStored, type Objects, packVault, sha256, unpackVault } from '../engine/packed-vault.ts';
import { withChecksum } from './documents.ts';

interface File {
  name: string;
  sizeBytes: number;
  sha256: string;
  plainBytes: number;
  index: { name: string; sizeBytes: number; sha256: string };
}

interface Manifest {
  files: File[];
  parentId: string | null;
  backupId: string;
  headsDigest: string;
  chain?: { parentChecksum: string };
  [key: string]: unknown;
}

/** Changes one thing of a vault of backups and makes all digests fit again, up to the manifests and along the chain. */
export function reshapeBackups(random: Random, seed: Uint8Array): Uint8Array {
  try {
    return reshape(random, seed);
  } catch {
    // What was changed before no longer has the shape that this program knows.
    return seed;
  }
}

function reshape(random: Random, seed: Uint8Array): Uint8Array {
  const objects = unpackVault(seed);
  const folders = [...objects.keys()].filter((name) => name.endsWith('/manifest.json'));
  if (folders.length === 0) return seed;
  const path = pick(random, folders);
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const manifest = readManifest(objects, folder);
  if (manifest === null) return seed;
  switch (random.below(8)) {
    case 0:
      objects.delete(pick(random, [...objects.keys()]));
      break;
    case 1:
    case 2:
      return packVault(writeManifests(random, objects, folder, changeJson(random, manifest) as Manifest));
    case 3:
      changeTable(random, objects, folder, manifest);
      break;
    default:
      changeData(random, objects, folder, manifest);
  }
  return packVault(writeManifests(random, objects, folder, manifest));
}

function readManifest(objects: Objects, folder: string): Manifest | null {
  try {
    const { manifestChecksum: _, ...manifest } = JSON.parse(
      objects.get(`${folder}manifest.json`)!.toString(),
    ) as Manifest;
    return Array.isArray(manifest.files) ? (manifest as Manifest) : null;
  } catch {
    return null;
  }
}

/** Another line in a chunk table. */
function changeTable(random: Random, objects: Objects, folder: string, { files }: Manifest): void {
  const file = files.length === 0 ? null : pick(random, files);
  const bytes = objects.get(folder + file?.index?.name);
  if (file == null || bytes === undefined) return;
  const lines = bytes.toString().split('\n');
  const at = random.below(lines.length);
  lines[at] = mutateJson(random, lines[at]!, 0);
  setTable(objects, folder, file, Buffer.from(lines.join('\n')));
}

function setTable(objects: Objects, folder: string, file: File, table: Buffer): void {
  objects.set(folder + file.index.name, table);
  file.index.sizeBytes = table.length;
  file.index.sha256 = sha256(table);
}

/** Other plain bytes in one chunk of a data file. */
function changeData(random: Random, objects: Objects, folder: string, manifest: Manifest): void {
  const file = manifest.files.length === 0 ? null : pick(random, manifest.files);
  const bytes = objects.get(folder + file?.name);
  const table = objects.get(folder + file?.index?.name);
  if (file == null || bytes === undefined || table === undefined) return;
  try {
    const [head, ...entries] = table
      .toString()
      .trimEnd()
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as { offset: number; storedBytes: number; plainBytes: number; sha256: string },
      );
    const entry = entries.length === 0 ? undefined : pick(random, entries);
    if (entry === undefined) return;
    const suffix = /\.(?:zst|gz)$/.exec(file.name)?.[0] ?? '';
    const chunk = bytes.subarray(entry.offset, entry.offset + entry.storedBytes);
    const changed = changeStored(suffix, chunk, (plain) => changePlain(random, file.name, plain));
    if (changed === null) return;
    const all = Buffer.concat([
      bytes.subarray(0, entry.offset),
      changed.stored,
      bytes.subarray(entry.offset + entry.storedBytes),
    ]);
    const longer = changed.stored.length - entry.storedBytes;
    for (const other of entries) if (other.offset > entry.offset) other.offset += longer;
    Object.assign(entry, {
      ...{
        storedBytes: changed.stored.length,
        plainBytes: changed.plainBytes,
        sha256: sha256(changed.stored),
      },
    });
    objects.set(folder + file.name, all);
    file.sizeBytes = all.length;
    file.sha256 = sha256(all);
    setTable(
      objects,
      folder,
      file,
      Buffer.from(`${[head, ...entries].map((line) => JSON.stringify(line)).join('\n')}\n`),
    );
    if (file.name.startsWith('heads') && suffix === '') manifest.headsDigest = sha256(all);
  } catch {
    // A table that was changed before is no longer one that says where chunks lie.
  }
}

function changePlain(random: Random, name: string, plain: Buffer): Uint8Array {
  if (!name.includes('jsonl') || random.below(3) === 0) return mutate(random, plain, [plain]);
  const lines = plain.toString().split('\n');
  const at = random.below(lines.length);
  lines[at] = mutateJson(random, lines[at]!, 0);
  return Buffer.from(lines.join('\n'));
}

/** The manifest with what follows from its files, and those of its children with what they say of it. */
function writeManifests(random: Random, objects: Objects, folder: string, manifest: Manifest): Objects {
  const text = withChecksum(random, withBundleChecksum(manifest), 'manifestChecksum');
  objects.set(`${folder}manifest.json`, Buffer.from(text));
  const checksum = /"manifestChecksum": "([0-9a-f]{64})"\n\}\n$/.exec(Buffer.from(text).toString())?.[1];
  if (checksum === undefined || manifest === null) return objects;
  for (const name of [...objects.keys()].filter((path) => path.endsWith('/manifest.json'))) {
    const other = name.slice(0, name.lastIndexOf('/') + 1);
    if (other === folder) continue;
    const child = readManifest(objects, other);
    if (child?.parentId !== manifest.backupId || child?.chain === undefined) continue;
    if (child.chain.parentChecksum === checksum) continue;
    child.chain.parentChecksum = checksum;
    writeManifests(random, objects, other, child);
  }
  return objects;
}

function withBundleChecksum(manifest: Manifest): unknown {
  if (!Array.isArray(manifest?.files)) return manifest;
  const lines = manifest.files.map((file) => {
    const { index } = file ?? {};
    return `${file?.name} ${file?.sizeBytes} ${file?.sha256}\n${index?.name} ${index?.sizeBytes} ${index?.sha256}\n`;
  });
  return 'checksum' in manifest ? { ...manifest, checksum: sha256(lines.join('')) } : manifest;
}
