import {
  type DataLossEstimate,
  type DisasterAssessment,
  type Observation,
  type PrimaryFinding,
  RECOVERY_RISKS,
  type RecoveryPlan,
  type RecoveryStrategy,
  type VaultObservation,
} from '../../core/disaster.ts';
import { formatBytes, formatDuration, formatInstant, plural, printable } from '../../core/units.ts';
import type { Paint, Tone } from '../output.ts';
import { renderPairs, renderTable } from './table.ts';

/** What was found of a disaster, and what is planned against it, for people. */

export function assessmentLines(assessment: DisasterAssessment, paint: Paint): string[] {
  const { primary, observations, candidates, vaults, estimatedDataLoss, warnings } = assessment;
  return [
    primaryLine(primary, paint),
    ...primary.reasons.map((reason) => `  ${printable(reason)}`),
    ...renderTable(
      [
        ...['FROM', 'REGION', 'SERVER', 'ANSWER', 'IS', 'TIMELINE'].map((title) => ({ title })),
        { title: 'POSITION', align: 'right' },
        { title: 'CLIENTS', align: 'right' },
      ],
      observations.map((observation) => observationRow(observation, paint)),
    ),
    ...candidates.flatMap((candidate) =>
      renderPairs([
        [
          'standby',
          `${printable(candidate.server)} (${printable(candidate.region)}): ${behindText(candidate.behindBytes)}`,
        ],
        ...candidate.refusals.map((refusal) => ['', paint('warning', printable(refusal))] as const),
      ]),
    ),
    ...renderPairs([
      ...vaults.map((vault) => ['vault', vaultText(vault, paint)] as const),
      ['loss', lossText(estimatedDataLoss)],
      ...warnings.map((warning) => ['warning', paint('warning', printable(warning))] as const),
    ]),
  ];
}

const PRIMARY_TONES = {
  alive: 'good',
  dead: 'bad',
  disputed: 'warning',
  doubled: 'bad',
  unknown: 'warning',
} as const satisfies Record<PrimaryFinding['state'], Tone>;

const PRIMARY_WORDS: Record<PrimaryFinding['state'], string> = {
  alive: 'The primary is alive',
  dead: 'The primary is dead: it answers nowhere',
  disputed: 'The primary is disputed: it is seen from some places, and not from others',
  doubled: 'Two servers take writes',
  unknown: 'Nobody knows which server the primary is',
};

function primaryLine({ state, server, region }: PrimaryFinding, paint: Paint): string {
  const where =
    server === null ? '' : `: ${printable(server)}${region === null ? '' : ` (${printable(region)})`}`;
  return `${paint(PRIMARY_TONES[state], PRIMARY_WORDS[state])}${where}`;
}

function observationRow(observation: Observation, paint: Paint): string[] {
  const { vantage, region, server, outcome, ms, state, reason } = observation;
  const answer =
    outcome === 'answered'
      ? paint('good', `in ${formatDuration(ms)}`)
      : `${paint('bad', outcome.replace('_', ' '))}${reason === null ? '' : `: ${shorten(printable(reason))}`}`;
  return [
    ...[placeText(vantage), printable(region), placeText(server), answer],
    ...(state === null
      ? ['', '', '', '']
      : [
          `${state.role}${state.isFenced ? ', fenced' : ''}`,
          ...[String(state.timeline), state.position, state.clients === null ? '' : String(state.clients)],
        ]),
  ];
}

/** Host and port say which server it is: what else stands in an address makes a table wide. */
function placeText(name: string): string {
  if (!/^postgres(ql)?:\/\//.test(name) || !URL.canParse(name)) return printable(name);
  return printable(new URL(name).host || name);
}

const LONGEST_REASON = 60;

function shorten(text: string): string {
  return text.length <= LONGEST_REASON ? text : `${text.slice(0, LONGEST_REASON - 1)}…`;
}

function behindText(bytes: string | null): string {
  if (bytes === null) return 'how far it is behind is not known';
  return bytes === '0'
    ? 'has all that the primary is known to have had'
    : `lacks ${formatBytes(Number(bytes))} of log`;
}

function vaultText(
  { region, vault, isReadable, reason, newestPoint, backups, isArchive }: VaultObservation,
  paint: Paint,
): string {
  const place = `${printable(vault)} (${printable(region)}${isArchive ? ', archive' : ''})`;
  if (!isReadable) return `${place}: ${paint('bad', printable(reason ?? 'cannot be read'))}`;
  if (newestPoint === null) return `${place}: ${paint('warning', 'nothing can be recovered from it')}`;
  return `${place}: ${plural(backups, 'backup')}, the newest point is ${formatInstant(newestPoint)}`;
}

/** All that is known of it, and how; nothing is made a 0 of. */
export function lossText({ bytes, events, timeMs, basis }: DataLossEstimate): string {
  const parts = [
    ...(bytes === null ? [] : [`${formatBytes(Number(bytes))} of log`]),
    ...(events === null ? [] : [`about ${plural(events, 'event')}`]),
    ...(timeMs === null ? [] : [`the last ${formatDuration(timeMs)}`]),
  ];
  const known = parts.length === 0 ? 'not known' : parts.join(', ');
  return `${known} (${printable(basis)})`;
}

const STRATEGY_WORDS: Record<RecoveryStrategy['kind'], string> = {
  local_restore: 'restore into a clean place of the same region',
  regional_failover: 'a standby takes over',
  full_rebuild: 'rebuild in a clean place from backups and log',
  switchover: 'the primary hands over to a standby',
};

export function strategyText(strategy: RecoveryStrategy): string {
  const target = strategy.kind === 'local_restore' ? '' : `, in region ${printable(strategy.targetRegion)}`;
  return `${strategy.kind}: ${STRATEGY_WORDS[strategy.kind]}${target}`;
}

export function planLines(plan: RecoveryPlan, paint: Paint): string[] {
  const { planId, trigger, strategy, reasons, recoverTo, target, estimatedDataLoss, steps, risks } = plan;
  return [
    `${paint('strong', `Plan ${planId}`)}, because of ${trigger}`,
    ...renderPairs([
      ['strategy', strategyText(strategy)],
      ...reasons.map((reason) => ['', printable(reason)] as const),
      ...(recoverTo === null ? [] : [['to', formatInstant(recoverTo)] as const]),
      [
        'target',
        `${target.server === null ? 'the most advanced standby' : printable(target.server)} (${printable(target.region)})`,
      ],
      ['loss', lossText(estimatedDataLoss)],
      ['journal', printable(plan.journalVault)],
    ]),
    ...renderTable(
      [{ title: '' }, { title: 'STEP' }, { title: 'WHAT IT DOES' }],
      steps.map(({ step, does, text }, i) =>
        does
          ? [String(i + 1), step, printable(text)]
          : [paint('faint', '–'), paint('faint', step), paint('faint', printable(text))],
      ),
    ),
    ...renderPairs(
      risks.map(
        ({ risk, text }) => ['risk', `${paint('bad', printable(text))} (${RECOVERY_RISKS[risk]})`] as const,
      ),
    ),
  ];
}

/** The command that carries a plan out, with all that has to be accepted for it. */
export function approveCommand({ planId, risks }: Pick<RecoveryPlan, 'planId' | 'risks'>): string {
  return ['eventcore dr execute --approve', planId, ...risks.map(({ risk }) => RECOVERY_RISKS[risk])].join(
    ' ',
  );
}
