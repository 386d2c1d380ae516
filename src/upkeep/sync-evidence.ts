import { isBackupError, throwIfAborted } from '../core/errors.ts';
import type { ObjectInfo } from '../core/vault.ts';
import {
  DRILLS_PREFIX,
  decodeEvidence,
  evidenceName,
  MAX_EVIDENCE_BYTES,
  parseEvidenceName,
} from '../format/drill-evidence.ts';
import { type Copied, copyChecked } from './copy-checked.ts';
import { digestCheck, recordCheck } from './object-check.ts';
import { note, type SyncRun } from './sync-run.ts';

/**
 * Evidence of drills that the target lacks, oldest first, so that what each one follows is there before it. The report goes before its
 * evidence, as when they were written: an evidence that is there needs nothing more.
 */
export async function syncEvidence(run: SyncRun): Promise<{ objects: number; bytes: number }> {
  const copied = { objects: 0, bytes: 0 };
  for (const info of await missingEvidence(run)) {
    throwIfAborted(run.signal);
    for (const { name, outcome } of await copyEvidence(run, info)) {
      if (outcome.state === 'unsound') note(run, info.name, name, 'source', outcome.reason);
      if (outcome.state !== 'copied') continue;
      run.there.set(name, outcome.sizeBytes);
      copied.objects += 1;
      copied.bytes += outcome.sizeBytes;
    }
  }
  return copied;
}

async function missingEvidence({ source, there }: SyncRun): Promise<ObjectInfo[]> {
  const missing: ObjectInfo[] = [];
  for await (const info of source.list(DRILLS_PREFIX)) {
    if (parseEvidenceName(info.name) !== null && !there.has(info.name)) missing.push(info);
  }
  return missing;
}

type Copy = { readonly name: string; readonly outcome: Copied };

async function copyEvidence(run: SyncRun, { name, sizeBytes }: ObjectInfo): Promise<Copy[]> {
  const { source, target, signal, readBack, onBytes } = run;
  const options = { readBack, onBytes, signal };
  const report = await reportOf(run, name, sizeBytes);
  if (typeof report === 'string') return [{ name, outcome: { state: 'unsound', reason: report } }];
  const page = await copyChecked(source, target, report.name, () => digestCheck(report), options);
  const pageCopy = { name: report.name, outcome: page };
  // Copied without its report it would stay without it: it comes when that was put right.
  if (page.state === 'unsound') return [pageCopy];
  return [pageCopy, { name, outcome: await copyChecked(source, target, name, recordCheck, options) }];
}

/** The report that an evidence names, and its size; in words, why there is none to copy. */
async function reportOf(
  { source }: SyncRun,
  name: string,
  sizeBytes: number,
): Promise<{ readonly name: string; readonly sha256: string; readonly sizeBytes: number } | string> {
  if (sizeBytes > MAX_EVIDENCE_BYTES) return `it has ${sizeBytes} bytes`;
  try {
    const evidence = decodeEvidence(await source.readRange(name, 0, sizeBytes));
    const { report } = evidence;
    // What it names is written to the target.
    if (evidenceName(evidence) !== name || report.name !== name.replace(/json$/, 'html'))
      return 'it has the name of another one';
    const info = await source.stat(report.name);
    return info === null ? `its report ${report.name} is gone` : { ...report, sizeBytes: info.sizeBytes };
  } catch (error) {
    if (!isBackupError(error, 'damaged')) throw error;
    return error.message;
  }
}
