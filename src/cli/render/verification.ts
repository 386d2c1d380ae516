import type { Manifest } from '../../core/manifest.ts';
import type { BackupVerification, Problem } from '../../core/report.ts';
import { formatBytes, formatCount, formatDuration, plural, printable } from '../../core/units.ts';
import type { LogVerification } from '../../integrity/verify/log.ts';
import { shortIds } from '../backup/names.ts';
import type { Paint } from '../output.ts';
import { ladderLine, ladderReach } from './ladder.ts';
import { renderTable } from './table.ts';

export interface Verified {
  readonly verification: BackupVerification;
  /** Null when it is damaged or missing. */
  readonly manifest: Manifest | null;
}

/** Problems that are shown of one backup; --json has all. */
const MAX_SHOWN = 20;

/** The account of a verification, for people: a line for each backup, then what is wrong with those that are not sound. */
export function verificationLines(
  results: readonly Verified[],
  { vault, quick }: { vault: string; quick: boolean },
  paint: Paint,
): string[] {
  const unsound = results.filter(({ verification }) => !verification.overallValid);
  const verdict =
    unsound.length === 0
      ? `${paint('good', 'Sound')}: ${plural(results.length, 'backup')}`
      : `${paint('bad', 'FAILED')}: ${unsound.length} of ${plural(results.length, 'backup')}`;
  const depth = quick ? ' (quick: existence, sizes and tables; no event was read)' : '';
  return [
    `${verdict} in ${printable(vault)}${depth}`,
    ...summaryTable(results, quick, paint),
    ...results.flatMap(malformedLines),
    ...unsound.flatMap(({ verification }) => ['', ...problemLines(verification, paint)]),
  ];
}

/** A line for each log, what is wrong with it, and where it has gaps. */
export function logLines(logs: readonly LogVerification[], paint: Paint): string[] {
  return logs.flatMap((log) => {
    const { folder, problems, problemsOmitted, gaps, files, transactions, events } = log;
    const total = problems.length + problemsOmitted;
    const verdict = total === 0 ? paint('good', 'Sound') : paint('bad', 'FAILED');
    const content = [plural(files, 'file'), plural(transactions, 'transaction'), plural(events, 'event')];
    const lines = problems
      .slice(0, MAX_SHOWN)
      .map(({ code, rung, message }) => `  ${rung}: ${paint('strong', code)}  ${printable(message)}`);
    if (total > MAX_SHOWN) lines.push(`  and ${formatCount(total - MAX_SHOWN)} more (--json lists them)`);
    const marked = gaps.map(
      ({ from, to, message }) => `  gap from ${from} to ${to}: ${printable(message)}; no recovery crosses it`,
    );
    return [
      `${verdict}: ${printable(folder)} ${content.join(', ')}`,
      `  ladder: ${ladderLine(log.rungs, paint)}`,
      ...proofLines(log, paint),
      ...lines,
      ...marked,
    ];
  });
}

function proofLines({ contentsChecked, signedBy, blocksUnsigned }: LogVerification, paint: Paint): string[] {
  const unsigned = blocksUnsigned === 0 ? '' : `; ${plural(blocksUnsigned, 'block')} unsigned`;
  const who = signedBy.map((signer) => `${printable(signer).slice(0, SIGNER_SHOWN)}…`).join(', ');
  return [
    ...(contentsChecked === false
      ? [paint('warning', '  contents not checked: no key opens all of it')]
      : []),
    ...(who === '' ? [] : [`  signed by ${who}${unsigned}`]),
  ];
}

function summaryTable(results: readonly Verified[], quick: boolean, paint: Paint): string[] {
  const short = shortIds(results.map(({ verification }) => verification.backupId));
  const rows = results.map(({ verification, manifest }) => [
    short.get(verification.backupId)!,
    verification.overallValid ? paint('good', 'sound') : paint('bad', 'FAILED'),
    ladderReach(verification.rungs, paint),
    manifest === null ? '' : formatCount(manifest.totalEvents),
    manifest === null ? '' : formatBytes(manifest.sizeBytes),
    formatDuration(verification.durationMs),
    contentsText(verification, quick),
    signatureText(verification, paint),
    completeness(verification),
  ]);
  return renderTable(
    [
      { title: 'BACKUP' },
      { title: 'RESULT' },
      { title: 'LADDER' },
      { title: 'EVENTS', align: 'right' },
      { title: 'SIZE', align: 'right' },
      { title: 'TIME', align: 'right' },
      { title: rows.some((row) => row[6] !== '') ? 'CONTENTS' : '' },
      { title: rows.some((row) => row[7] !== '') ? 'SIGNED' : '' },
      { title: rows.some((row) => row[8] !== '') ? 'AGAINST THE STORE' : '' },
    ],
    rows,
  );
}

function malformedLines({ verification: { backupId, malformedPayloads } }: Verified): string[] {
  if (malformedPayloads === null || malformedPayloads === 0) return [];
  return [
    `  ${backupId} has payloads that are no JSON, as the store had them: ${formatCount(malformedPayloads)}`,
  ];
}

function contentsText({ isWhole, eventsValid }: BackupVerification, quick: boolean): string {
  if (!isWhole) return 'some of its files';
  return quick || eventsValid !== null ? '' : 'digests only: no key opens it';
}

function signatureText({ signature: { state, signer } }: BackupVerification, paint: Paint): string {
  if (state === 'unsigned') return '';
  const who = printable(signer ?? '').slice(0, SIGNER_SHOWN);
  if (state === 'signed') return `by ${who}…`;
  return paint('bad', state === 'forged' ? `FORGED, not by ${who}…` : `by a stranger, ${who}…`);
}

/** Enough of a signer's name to know it by; --json has all of it. */
const SIGNER_SHOWN = 'ed25519:'.length + 8;

function completeness({ completenessVerified, missingEvents }: BackupVerification): string {
  if (!completenessVerified) return '';
  return missingEvents === 0 ? 'complete' : `lacks ${plural(missingEvents, 'event')}`;
}

function problemLines(verification: BackupVerification, paint: Paint): string[] {
  const { backupId, problems, problemsOmitted, missingEvents } = verification;
  const total = problems.length + problemsOmitted;
  const lines = [
    `${paint('bad', 'FAILED')} ${backupId}`,
    `  ladder: ${ladderLine(verification.rungs, paint)}`,
    ...problems
      .slice(0, MAX_SHOWN)
      .map((problem) => `  ${problem.rung}: ${paint('strong', problem.code)}  ${placed(problem)}`),
  ];
  if (total > MAX_SHOWN) lines.push(`  and ${formatCount(total - MAX_SHOWN)} more (--json lists them)`);
  if (missingEvents > 0) {
    lines.push(`  the store holds ${plural(missingEvents, 'event')} that the backup does not: back up again`);
  }
  if (total > 0) lines.push(`  ${paint('strong', 'hint:')} ${adviceFor(problems)}`);
  return lines;
}

const ON_THE_MANIFEST: ReadonlySet<Problem['code']> = new Set([
  'manifest_damaged',
  'manifest_missing',
  'format_unknown',
]);

/** The message, and what of the problem's place it does not name itself. */
function placed({ code, message, file, chunk, streamId, version }: Problem): string {
  if (ON_THE_MANIFEST.has(code)) return printable(message);
  const places = [
    file !== null && !message.includes(file) ? file : null,
    chunk !== null && !message.includes(`chunk ${chunk}`) ? `chunk ${chunk}` : null,
    streamId !== null && !message.includes(JSON.stringify(streamId))
      ? `stream ${JSON.stringify(streamId)}`
      : null,
    version !== null && !new RegExp(`\\bversions? ${version}\\b`).test(message) ? `version ${version}` : null,
  ].filter((place) => place !== null);
  return printable(places.length === 0 ? message : `${places.join(', ')}: ${message}`);
}

function adviceFor(problems: readonly Problem[]): string {
  if (problems.every(({ code }) => code === 'store_differs')) {
    return 'the backup itself is sound; the store has lost or changed what it names';
  }
  if (problems.every(({ code }) => code === 'format_unknown')) {
    return 'a newer program wrote it: use that one';
  }
  if (problems.some(({ code }) => code === 'manifest_missing')) {
    return 'if no backup is being written now, remove the attempt (`eventcore list` says how)';
  }
  if (problems.every(({ code }) => code === 'chain_broken')) {
    return 'take what it builds on from another copy of this vault, or begin a new chain with `eventcore backup full`';
  }
  if (problems.some(({ code }) => code === 'signature_invalid' || code === 'tag_invalid')) {
    return 'somebody wrote into this vault who should not: find out who, and use another copy of it';
  }
  return 'take the files from another copy of this vault, or back up again while the store is sound';
}
