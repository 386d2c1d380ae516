import type { Command } from 'commander';
import { BackupError } from '../../core/errors.ts';
import { formatDuration, formatInstant, plural, printable } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import {
  checkPrevious,
  type FoundEvidence,
  isReportWhole,
  lastPassedAtMs,
  readEvidence,
} from '../../drills/evidence.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { loadKeys } from '../keys/keys.ts';
import { addRegionOption, type RegionFlags, vaultToRead } from '../regions.ts';
import { drillLines } from '../render/drill-report.ts';
import { renderPairs, renderTable } from '../render/table.ts';
import { systemClock } from '../wire.ts';

interface ListFlags extends RegionFlags {
  readonly limit: number;
}

const DEFAULT_LIMIT = 20;
const MOST = 10_000;

export function addDrillListCommand(drill: Command, start: Start): void {
  addRegionOption(drill.command('list'))
    .description('show past drills, the newest first, and whether their evidence is as it was written')
    .option('--limit <n>', `how many (default: ${DEFAULT_LIMIT})`, wholeNumber(1, MOST), DEFAULT_LIMIT)
    .addHelpText(
      'after',
      helpEnd(['eventcore drill list', 'eventcore drill list --json | jq .lastPassedAt'], [0, 2, 4, 6]),
    )
    .action((flags: ListFlags) => start((context) => list(context, flags)));
}

export function addDrillShowCommand(drill: Command, start: Start): void {
  addRegionOption(drill.command('show'))
    .argument('[drill]', 'its id, or the first characters of it (default: the newest)')
    .description('show what a drill proved; checks its signature, its report and the evidence before it')
    .addHelpText(
      'after',
      helpEnd(['eventcore drill show', 'eventcore drill show 3f2a9c1e --json'], [0, 2, 3, 4, 6]),
    )
    .action((wanted: string | undefined, flags: RegionFlags) =>
      start((context) => show(context, wanted, flags)),
    );
}

async function withEvidence(
  context: CommandContext,
  flags: RegionFlags,
  limit: number,
  work: (vault: Vault, found: readonly FoundEvidence[], total: number) => Promise<number>,
): Promise<number> {
  const settings = await context.settings();
  const { trust } = await loadKeys(settings, {}, { ...context, signs: false });
  return withVault(vaultToRead(context, settings, flags), { create: false }, async (vault) => {
    const { found, total } = await readEvidence(vault, trust, limit);
    return work(vault, found, total);
  });
}

const UNSOUND = new BackupError('damaged', '').exitCode;

function list(context: CommandContext, { limit, ...flags }: ListFlags): Promise<number> {
  const { output } = context;
  // One more: the last one that is shown names the one before it.
  return withEvidence(context, flags, limit + 1, async (vault, read, total) => {
    const found = read.slice(0, limit);
    const rows: { readonly one: FoundEvidence; readonly problem: string | null }[] = [];
    for (const one of found) rows.push({ one, problem: await problemOf(vault, one, read) });
    const passedAtMs = lastPassedAtMs(read, null);
    output.document({
      ...{ vault: vault.address, total },
      lastPassedAt: passedAtMs === null ? null : new Date(passedAtMs).toISOString(),
      drills: rows.map(documentOf),
    });
    output.answer(
      total === 0 ? ['No drill was made yet: `eventcore drill`.'] : listLines(rows, total, context),
    );
    return rows.every(({ problem }) => problem === null) ? 0 : UNSOUND;
  });
}

async function problemOf(
  vault: Vault,
  { evidence, problem }: FoundEvidence,
  read: readonly FoundEvidence[],
): Promise<string | null> {
  if (evidence === null || problem !== null) return problem;
  const { state, message } = await checkPrevious(vault, evidence, read);
  return state === 'missing' || state === 'changed' ? message : null;
}

function documentOf({
  one,
  problem,
}: {
  one: FoundEvidence;
  problem: string | null;
}): Record<string, unknown> {
  const { drillId, name, evidence, signature } = one;
  const full = evidence?.measurements.restores.find(({ test }) => test === 'full_restore');
  return {
    ...{ drillId, name, problem, startedAt: evidence?.startedAt ?? null },
    overallSuccess: evidence?.overallSuccess ?? null,
    signature,
    tests: Object.fromEntries(evidence?.tests.map((test) => [test.name, test.state]) ?? []),
    reasons: Object.fromEntries(
      evidence?.tests.flatMap(({ name: test, reason }) => (reason === null ? [] : [[test, reason]])) ?? [],
    ),
    durationMs: evidence?.durationMs ?? null,
    fullRestoreMs: full?.restoreMs ?? null,
    eventsPerSecond: full?.eventsPerSecond ?? null,
    recoverableAgeMs: evidence?.measurements.recoverableAgeMs ?? null,
    eventsAtRisk: evidence?.measurements.eventsAtRisk ?? null,
    objectives: evidence?.objectives ?? [],
  };
}

function listLines(
  rows: readonly { readonly one: FoundEvidence; readonly problem: string | null }[],
  total: number,
  { output: { paint } }: CommandContext,
): string[] {
  const table = renderTable(
    [
      { title: 'DRILL' },
      { title: 'STARTED (UTC)' },
      { title: 'RESULT' },
      { title: 'FAILED' },
      { title: 'FULL RESTORE', align: 'right' },
      { title: 'EVIDENCE' },
    ],
    rows.map(({ one: { drillId, evidence, signature }, problem }) => {
      const full = evidence?.measurements.restores.find(({ test }) => test === 'full_restore');
      const failed = evidence?.tests.filter(({ state }) => state === 'failed').map(({ name }) => name) ?? [];
      return [
        drillId.slice(0, 8),
        evidence === null ? '' : formatInstant(evidence.startedAt).replace(' UTC', ''),
        evidence === null ? '' : evidence.overallSuccess ? paint('good', 'passed') : paint('bad', 'failed'),
        failed.join(', '),
        full === undefined ? '' : formatDuration(full.restoreMs),
        problem === null ? (signature?.state ?? '') : paint('bad', printable(problem)),
      ];
    }),
  );
  return total > rows.length
    ? [...table, `  and ${plural(total - rows.length, 'drill')} before: see --limit`]
    : table;
}

function show(context: CommandContext, wanted: string | undefined, flags: RegionFlags): Promise<number> {
  const { output } = context;
  return withEvidence(context, flags, wanted === undefined ? 1 : MOST, async (vault, read) => {
    const one = findOne(read, wanted);
    const { evidence, name, sha256, signature } = one;
    if (evidence === null)
      throw new BackupError('damaged', `${name}: ${one.problem}`, { facts: { file: name } });
    const previous = await checkPrevious(vault, evidence, read);
    const reportWhole = await isReportWhole(vault, evidence);
    const problems = [
      ...(one.problem === null ? [] : [one.problem]),
      ...(previous.state === 'missing' || previous.state === 'changed' ? [previous.message] : []),
      ...(reportWhole ? [] : [`${evidence.report.name} is not the report that was written with it`]),
    ];
    output.document({
      ...evidence,
      name,
      sha256,
      signature,
      previousState: previous.state,
      reportWhole,
      problems,
    });
    output.answer([
      ...drillLines(evidence, output.paint),
      ...renderPairs([
        ['drill', `${evidence.drillId}, ${formatInstant(evidence.startedAt)}`],
        ['restored', `${printable(evidence.selection)} from ${printable(evidence.vault)}`],
        ['by', printable(evidence.software)],
        ['evidence', `${name} (${ageText(evidence.finishedAt)} old), ${previous.message}`],
        ['signature', signatureText(one)],
        ...problems.map((problem) => ['problem', output.paint('bad', printable(problem))] as const),
      ]),
    ]);
    return problems.length === 0 ? 0 : UNSOUND;
  });
}

function findOne(read: readonly FoundEvidence[], wanted: string | undefined): FoundEvidence {
  const fits = read.filter(({ drillId }) => wanted === undefined || drillId.startsWith(wanted));
  const [one, other] = fits;
  if (one !== undefined && (other === undefined || one.drillId === wanted)) return one;
  const which =
    wanted === undefined
      ? 'no drill was made yet'
      : `${fits.length === 0 ? 'no' : 'more than one'} drill ${wanted}`;
  throw new BackupError('backup_not_found', which, {
    hint: '`eventcore drill list` shows the drills of this vault',
  });
}

function ageText(finishedAt: string): string {
  return formatDuration(Math.max(0, systemClock.now() - Date.parse(finishedAt)));
}

function signatureText({ signature }: FoundEvidence): string {
  const { state, signer } = signature!;
  return signer === null ? state : `${state}, by ${signer}`;
}
