import { isBackupError, throwIfAborted } from '../core/errors.ts';
import type { ObjectWriter, Vault } from '../core/vault.ts';
import { type LogFile, type LogTimeline, readLogCatalog } from '../format/log-catalog.ts';
import { gapFileName } from '../format/log-name.ts';
import { readLogBlocks } from '../format/log-reader.ts';
import { copyChecked } from './copy-checked.ts';
import { healKeyRecords } from './heal-keys.ts';
import { type Fetch, type HealRun, healObject, isDonorsFault } from './heal-object.ts';
import {
  checkObject,
  judging,
  logCheck,
  type ObjectCheck,
  PIECE_BYTES,
  recordCheck,
} from './object-check.ts';

/**
 * Mends a log: marks of gaps and files that are damaged, files that are missing in the middle, and records of keys. Another vault may have
 * joined the same files otherwise: what it has in one file replaces several, and what it has in several is joined.
 */
export async function healLog(run: HealRun, folder: string): Promise<void> {
  const timeline = await findTimeline(run.vault, folder);
  if (timeline === undefined) return;
  for (const { from, to } of timeline.gaps)
    await healObject(run, folder + gapFileName(from, to), recordCheck);
  for (const { name, at } of timeline.quiet) await healObject(run, name, () => logCheck(at));
  const files = timeline.spans.flatMap((span) => span.files);
  for (const file of files) {
    throwIfAborted(run.signal);
    await healFile(run, folder, file);
  }
  await fillHoles(run, timeline);
  for (const keyId of await keysIn(run.vault, folder)) await healKeyRecords(run, folder, keyId);
}

async function findTimeline(vault: Vault, folder: string): Promise<LogTimeline | undefined> {
  return (await readLogCatalog(vault)).find((timeline) => timeline.folder === folder);
}

async function healFile(run: HealRun, folder: string, file: LogFile): Promise<void> {
  const make = (): ObjectCheck => logCheck(file.to);
  if (await healObject(run, file.name, make, fetchFile(run, folder, file))) return;
  if (!(await fetchLonger(run, folder, file))) return;
  const place = run.unhealed.findIndex(({ name }) => name === file.name);
  if (place !== -1) run.unhealed.splice(place, 1);
}

/** The same file, or those that were joined to it here. */
function fetchFile({ vault, signal, onBytes }: HealRun, folder: string, file: LogFile): Fetch {
  return async (donor, as) => {
    const parts = partsOf(await filesIn(donor, folder), file);
    if (parts === null) return false;
    const joined = await judging(() => joinInto(donor, vault, { parts, as, file }, signal));
    if (typeof joined !== 'number') return false;
    onBytes(joined);
    return (await checkObject(vault, as, () => logCheck(file.to), signal)).state === 'sound';
  };
}

async function filesIn(vault: Vault, folder: string): Promise<LogFile[]> {
  const timeline = await findTimeline(vault, folder);
  if (timeline === undefined) return [];
  return [...timeline.spans.flatMap(({ files }) => files), ...timeline.covered];
}

/** Files that one behind the other are a file; null when they are not there. */
function partsOf(files: readonly LogFile[], { from, to, name }: LogFile): LogFile[] | null {
  const same = files.find((file) => file.name === name);
  if (same !== undefined) return [same];
  if (from === to) return null;
  const parts: LogFile[] = [];
  for (let at = from; at < to; at = parts.at(-1)!.to) {
    const next = files
      .filter((file) => file.from === at && file.to > at && file.to <= to)
      .reduce<LogFile | null>(
        (longest, file) => (longest === null || file.to > longest.to ? file : longest),
        null,
      );
    if (next === null) return null;
    parts.push(next);
  }
  return parts;
}

/** Gives the bytes that were written. Throws `damaged`: nothing is there then. */
async function joinInto(
  donor: Vault,
  vault: Vault,
  { parts, as, file }: { readonly parts: readonly LogFile[]; readonly as: string; readonly file: LogFile },
  signal: AbortSignal | undefined,
): Promise<number> {
  const check = logCheck(file.to);
  const object = await vault.createObject(as);
  try {
    let bytes = 0;
    for (const part of parts) bytes += await pourPart(donor, object, part, check, signal);
    check.end();
    await object.commit();
    return bytes;
  } catch (error) {
    await object.abort();
    throw error;
  }
}

async function pourPart(
  donor: Vault,
  object: ObjectWriter,
  { name, sizeBytes }: LogFile,
  check: ObjectCheck,
  signal: AbortSignal | undefined,
): Promise<number> {
  for (let offset = 0; offset < sizeBytes; offset += PIECE_BYTES) {
    throwIfAborted(signal);
    const piece = await donor.readRange(name, offset, Math.min(PIECE_BYTES, sizeBytes - offset));
    check.update(piece);
    await object.write(piece);
  }
  return sizeBytes;
}

/** A longer file that another vault made of it and its neighbours counts instead of it: nothing need be removed. */
async function fetchLonger(run: HealRun, folder: string, { name, from, to }: LogFile): Promise<boolean> {
  if (from === to) return false;
  return eachDonor(run, async (donor) => {
    const longer = (await filesIn(donor, folder)).find((file) => file.from <= from && file.to >= to);
    return longer !== undefined && longer.name !== name && (await fetchWhole(run, donor, longer));
  });
}

/** True as soon as one donor gave what was asked for; those that cannot be asked are passed over. */
async function eachDonor({ donors }: HealRun, ask: (donor: Vault) => Promise<boolean>): Promise<boolean> {
  for (const donor of donors) {
    try {
      if (await ask(donor)) return true;
    } catch (error) {
      if (!isDonorsFault(error)) throw error;
    }
  }
  return false;
}

async function fetchWhole(run: HealRun, donor: Vault, { name, to }: LogFile): Promise<boolean> {
  const { vault, signal, onBytes } = run;
  const copied = await copyChecked(donor, vault, name, () => logCheck(to), { signal, onBytes });
  if (copied.state === 'copied') run.healed.push({ name, from: donor.address, was: 'missing' });
  return copied.state === 'copied';
}

/** What is missing between files that are there, and that no mark says is lost. What was before them was removed by rule. */
async function fillHoles(run: HealRun, { folder, spans, gaps }: LogTimeline): Promise<void> {
  for (const [i, { to: end }] of spans.slice(0, -1).entries()) {
    const next = spans[i + 1]!.from;
    if (end >= next || gaps.some(({ from, to }) => from <= end && to >= next)) continue;
    const filled = await eachDonor(run, (donor) => fillFrom(run, donor, folder, { from: end, to: next }));
    const name = `${folder}${gapFileName(end, next).replace('.gap', '.log')}`;
    if (!filled) run.unhealed.push({ name, reason: 'no other vault has what is missing there' });
  }
}

async function fillFrom(
  run: HealRun,
  donor: Vault,
  folder: string,
  hole: { readonly from: bigint; readonly to: bigint },
): Promise<boolean> {
  const files = await filesIn(donor, folder);
  const longer = files.find((file) => file.from <= hole.from && file.to >= hole.to && file.from !== file.to);
  const parts =
    longer === undefined ? partsOf(files, { ...hole, name: '', sizeBytes: 0, modifiedAtMs: 0 }) : [longer];
  if (parts === null) return false;
  for (const part of parts) {
    if ((await run.vault.stat(part.name)) === null && !(await fetchWhole(run, donor, part))) return false;
  }
  return true;
}

/** Keys that seal blocks of a log, as far as its headers can be read. */
async function keysIn(vault: Vault, folder: string): Promise<Set<string>> {
  const keys = new Set<string>();
  for (const { files } of (await findTimeline(vault, folder))?.spans ?? []) {
    for (const file of files) {
      try {
        for await (const { header } of readLogBlocks(vault, [file])) {
          if (header.sealing != null) keys.add(header.sealing.keyId);
        }
      } catch (error) {
        if (!isBackupError(error, 'damaged', 'store_unsupported', 'vault_object_missing')) throw error;
      }
    }
  }
  return keys;
}
