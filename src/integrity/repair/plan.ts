import type { Finding, RepairKind } from '../../core/finding.ts';
import type { RepairStatement } from '../../core/repair.ts';
import type { UnfinishedRepair } from '../../format/repair-record.ts';
import type { StreamFacts } from './facts.ts';

/** What is wrong, and how the check that found it would put it right in the store's own language: nothing where it is about events. */
export interface FoundForRepair {
  readonly finding: Finding;
  readonly statements: readonly RepairStatement[];
}

/** What a repair would do, as plain data. */
export interface RepairPlan {
  /** The store's address, without a password. */
  readonly store: string;
  /** The newest backup of the chain that events are taken from; null without one. */
  readonly backupId: string | null;
  /** In the order in which they are carried out. */
  readonly steps: readonly RepairStep[];
  readonly refusals: readonly RepairRefusal[];
  /** Events of the streams that were looked at that only the store has: no step touches them. */
  readonly onlyLive: number;
  /** Rows are looked for without the store's indexes, since one of them is damaged. */
  readonly withoutIndexes: boolean;
  /** Earlier repairs that have not ended: they died, or are under way. */
  readonly unfinished: readonly UnfinishedRepair[];
}

export type RepairStep = EventStep | StatementStep;

export interface EventStep {
  readonly kind: EventKind;
  readonly streams: readonly { readonly streamId: string; readonly versions: readonly number[] }[];
  readonly events: number;
  /** Why, what is touched, and what is kept aside: for people. */
  readonly reason: string;
  readonly touches: string;
  readonly keeps: string;
}

export interface StatementStep {
  readonly kind: Exclude<RepairKind, EventKind>;
  readonly check: string;
  readonly object: string | null;
  readonly statements: readonly RepairStatement[];
  readonly reason: string;
  readonly touches: string;
  readonly keeps: string;
}

export interface RepairRefusal {
  readonly code: RefusalCode;
  readonly kind: RepairKind | null;
  readonly streamId: string | null;
  /** The first version that it is about. */
  readonly version: string | null;
  readonly object: string | null;
  readonly events: number;
  readonly reason: string;
}

export type RefusalCode =
  /** A person has to decide: the check says why. */
  | 'undecided'
  /** The kind of repair was not allowed. */
  | 'not_allowed'
  /** Another event stands there, which only the store has. */
  | 'diverged'
  /** No backup of the chain holds what is missing or changed. */
  | 'not_backed_up'
  /** It is not there any more, or what is there agrees with the backup. */
  | 'not_found_again'
  /** A check found it and has no statement for it. */
  | 'no_statement'
  /** Store and backup could not be held against each other: no key is given, say, or the streams are too large. */
  | 'not_compared';

export const EVENT_KINDS = ['put_back_events', 'remove_copies', 'reinstate_events'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/**
 * Content first, and copies with it: a merge adds nothing to a stream in which anything stands where it should not, and no unique index
 * is built over copies. Then indexes, since a merge finds by them what is there: through one that is damaged it would add a second time what
 * it does not see. Then what is missing. Sequences and guards look at all events, so they come behind them; and what speaks of the last
 * event, checkpoints and snapshots, is last.
 */
const ORDER = [
  ...(['put_back_events', 'remove_copies', 'rebuild_index', 'reinstate_events'] as const),
  ...(['advance_sequence', 'restore_guards', 'clamp_checkpoint', 'drop_snapshot'] as const),
] satisfies readonly RepairKind[];

export function isEventKind(kind: RepairKind): kind is EventKind {
  return (EVENT_KINDS as readonly RepairKind[]).includes(kind);
}

export function isEventStep(step: RepairStep): step is EventStep {
  return isEventKind(step.kind);
}

export interface PlanInput {
  readonly store: string;
  readonly backupId: string | null;
  readonly found: readonly FoundForRepair[];
  /** Of the streams that findings about events name. */
  readonly facts: readonly StreamFacts[];
  /** Why there are no facts; null where there are. */
  readonly notCompared: string | null;
  readonly allowed: readonly RepairKind[] | 'all';
  readonly withoutIndexes: boolean;
  readonly unfinished: readonly UnfinishedRepair[];
}

/** Decides what is done about findings, what is not, and why. Nothing that only the store has is ever written over. */
export function decideRepair(input: PlanInput): RepairPlan {
  const { store, backupId, found, facts, allowed, withoutIndexes, unfinished } = input;
  const may = (kind: RepairKind): boolean => allowed === 'all' || allowed.includes(kind);
  const refusals: RepairRefusal[] = [];
  const events = planEvents(facts, { may, withoutIndexes }, refusals);
  const statements = planStatements(found, may, refusals);
  for (const refusal of refuseFindings(input)) refusals.push(refusal);
  return {
    ...{ store, backupId, withoutIndexes, unfinished },
    steps: ORDER.flatMap((kind) => [...events, ...statements].filter((step) => step.kind === kind)),
    refusals,
    onlyLive: facts.reduce((sum, { onlyLive }) => sum + onlyLive, 0),
  };
}

type Versions = readonly { readonly streamId: string; readonly versions: readonly number[] }[];

function planEvents(
  facts: readonly StreamFacts[],
  {
    may,
    withoutIndexes,
  }: Pick<PlanInput, 'withoutIndexes'> & { readonly may: (kind: RepairKind) => boolean },
  refusals: RepairRefusal[],
): EventStep[] {
  const streams: Record<EventKind, { streamId: string; versions: readonly number[] }[]> = {
    ...{ put_back_events: [], remove_copies: [], reinstate_events: [] },
  };
  const refuse = (
    code: RefusalCode,
    kind: EventKind,
    of: StreamFacts,
    versions: readonly number[],
    reason: string,
  ) => {
    if (versions.length === 0) return;
    const place = { streamId: of.streamId, version: String(versions[0]), object: null };
    refusals.push({ code, kind, ...place, events: versions.length, reason });
  };
  const take = (kind: EventKind, of: StreamFacts, versions: readonly number[]): void => {
    if (versions.length === 0) return;
    if (!may(kind))
      refuse('not_allowed', kind, of, versions, `${kind} is not among the repairs that are allowed`);
    else streams[kind].push({ streamId: of.streamId, versions });
  };
  for (const stream of facts) {
    // An event that is changed and has copies is put right in one go, or not at all.
    const [changed, copied] = [new Set(stream.changed), new Set(stream.copied)];
    const part = (
      versions: readonly number[],
      kind: EventKind,
      isTied: (version: number) => boolean,
    ): void => {
      const other = kind === 'remove_copies' ? 'put_back_events' : 'remove_copies';
      const tied = may(kind) && !may(other) ? versions.filter(isTied) : [];
      refuse('not_allowed', kind, stream, tied, `it takes ${other} too, which is not allowed`);
      take(kind, stream, tied.length === 0 ? versions : versions.filter((version) => !isTied(version)));
    };
    part(stream.changed, 'put_back_events', (version) => copied.has(version));
    part(stream.copied, 'remove_copies', (version) => changed.has(version));
    const isBlind = withoutIndexes && may('reinstate_events') && !may('rebuild_index');
    if (isBlind) refuse('not_allowed', 'reinstate_events', stream, stream.absent, BLIND);
    else if (stream.diverged.length === 0) take('reinstate_events', stream, stream.absent);
    else refuse('diverged', 'reinstate_events', stream, stream.absent, BEHIND_OTHERS);
    refuse('diverged', 'put_back_events', stream, stream.diverged, OTHERS);
  }
  return EVENT_KINDS.flatMap((kind) => (streams[kind].length === 0 ? [] : [eventStep(kind, streams[kind])]));
}

const OTHERS =
  'another event stands there, which only the store has: it is not overwritten; `eventcore diff` shows both, and a person decides which of them counts';
const BEHIND_OTHERS =
  'nothing is added to a stream in which another event stands at one of the versions: decide about that one first';

const BLIND = 'a merge looks through an index that is damaged, and rebuild_index is not allowed';

const WORDS: Readonly<Record<EventKind, Pick<EventStep, 'reason' | 'touches' | 'keeps'>>> = {
  put_back_events: {
    reason: 'they are in the store with other content, elsewhere or under another id than in the backup',
    touches: 'their rows, in one transaction, with the triggers of the table lifted for it alone',
    keeps: 'each row as it was, in eventcore_repairs',
  },
  remove_copies: {
    reason: 'the store has them more than once, the backup once',
    touches: 'the copies; the row that agrees with the backup stays',
    keeps: 'each copy, in eventcore_repairs',
  },
  reinstate_events: {
    reason: 'the backup has them and the store has not',
    touches: 'nothing that is there: they are added by a merge',
    keeps: 'nothing: nothing is written over',
  },
};

function eventStep(kind: EventKind, streams: Versions): EventStep {
  const events = streams.reduce((sum, { versions }) => sum + versions.length, 0);
  return { kind, streams, events, ...WORDS[kind] };
}

function planStatements(
  found: readonly FoundForRepair[],
  may: (kind: RepairKind) => boolean,
  refusals: RepairRefusal[],
): StatementStep[] {
  const planned = new Set<string>();
  return found.flatMap(({ finding, statements }): StatementStep[] => {
    const { repair: kind, object, check } = finding;
    if (kind === null || isEventKind(kind)) return [];
    const refuse = (code: RefusalCode, reason: string): [] => {
      refusals.push(refusalOf(finding, code, reason));
      return [];
    };
    if (!may(kind)) return refuse('not_allowed', `${kind} is not among the repairs that are allowed`);
    if (statements.length === 0)
      return refuse('no_statement', `the check ${check} knows no statement for it`);
    // One index may be found out by each bucket, and by several checks; it is built anew once.
    const same = statements.map(({ sql, parameters = [] }) => [sql, ...parameters].join('\0')).join('\0\0');
    if (planned.has(same)) return [];
    planned.add(same);
    const touches = object ?? 'the store';
    const isKept = statements.some(({ before }) => before !== null);
    const keeps = isKept ? 'what is changed as it was, in eventcore_repairs' : 'nothing: no data is changed';
    return [{ kind, check, object, statements, reason: finding.message, touches, keeps }];
  });
}

function refusalOf(finding: Finding, code: RefusalCode, reason: string): RepairRefusal {
  const { repair: kind, streamId, version, object, events } = finding;
  return { code, kind, streamId, version, object, events, reason };
}

/** Findings about events that no step takes up. */
function refuseFindings({ found, facts, backupId, notCompared }: PlanInput): RepairRefusal[] {
  const byStream = new Map(facts.map((of) => [of.streamId, of]));
  return found.flatMap(({ finding }): RepairRefusal[] => {
    const { repair: kind, streamId } = finding;
    if (kind === null) return [refusalOf(finding, 'undecided', finding.message)];
    if (!isEventKind(kind)) return [];
    if (backupId === null) return [refusalOf(finding, 'not_backed_up', 'there is no backup to take it from')];
    if (notCompared !== null) return [refusalOf(finding, 'not_compared', notCompared)];
    const of = streamId === null ? undefined : byStream.get(streamId);
    if (of === undefined) return [refusalOf(finding, 'not_found_again', 'it names no stream to look into')];
    const reason = whyUntouched(finding, of);
    return reason === null ? [] : [refusalOf(finding, ...reason)];
  });
}

function whyUntouched({ version }: Finding, of: StreamFacts): [RefusalCode, string] | null {
  if (of.held === 0) return ['not_backed_up', 'no backup of the chain holds the stream'];
  if (version !== null && of.doubled.includes(Number(version))) {
    return [
      'undecided',
      'the backup holds two events of that version: which of them counts is for a person to say',
    ];
  }
  const touched = [of.changed, of.copied, of.absent, of.diverged].some((versions) => versions.length > 0);
  if (touched) return null;
  return of.onlyLive > 0
    ? [
        'not_backed_up',
        'what the chain holds of the stream is as it should be; it is about events that no backup has',
      ]
    : ['not_found_again', 'what the store has of the stream agrees with the backup now'];
}
