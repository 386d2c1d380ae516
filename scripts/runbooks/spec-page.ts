import { DISASTER_TRIGGERS, RECOVERY_STEPS, STRATEGY_KINDS } from '../../src/core/disaster.ts';
import { SAMPLE_BOUND_MS } from '../../src/disaster/assess.ts';
import { HEARD_BOUND_MS } from '../../src/disaster/opinions.ts';
import { PLAN_BOUND_MS } from '../../src/disaster/plan.ts';
import {
  FAILURES,
  MERGES_SALVAGED,
  STEP_MOVES,
  STRATEGY_STEPS,
  type StepRule,
  TRIGGER_STEPS,
} from '../../src/disaster/steps-table.ts';
import {
  cellOf,
  NEEDS_INSTANT,
  type PrimaryState,
  WAYS,
  type Way,
} from '../../src/disaster/strategy-table.ts';
import { formatSpan } from '../../src/policy/duration.ts';
import { GENERATED, table } from './table.ts';
import { STATE_WORDS } from './words.ts';

export const STATES = Object.keys(STATE_WORDS) as PrimaryState[];

export const WAY_WORDS: Readonly<Record<Way, string>> = {
  hand_over: 'the primary hands over to a standby',
  home_standby: 'a standby of the region takes over',
  away_standby: 'a standby of another region takes over',
  restore_home: 'restore into the clean place of the region',
  rebuild: 'rebuild in the clean place of a region',
};

/** `src/disaster/SPEC.md`. */
export function specPage(): string {
  return [
    '# Disaster recovery, as tables',
    GENERATED,
    PREFACE,
    '## Which primary there is',
    FINDING,
    table(
      ['state', 'means'],
      STATES.map((state) => [`\`${state}\``, STATE_WORDS[state]]),
    ),
    '## Who may take over',
    CANDIDATES,
    '## What is lost',
    LOSS,
    '## Trigger × primary → strategy',
    STRATEGY,
    strategyTable(),
    '## Strategy × step',
    'What a plan changes of this: a step for which nothing is configured is left out, with a word; `scale` too where the region stays the same, and `drain` where an instant is named.',
    ...STRATEGY_KINDS.flatMap((kind) => [`### ${kind}`, stepTable((step) => STRATEGY_STEPS[kind][step])]),
    '### What the trigger changes',
    triggerTable(),
    '## A step in the journal × what a look at the world finds',
    MOVES,
    movesTable(),
    '## What a failure means',
    'A run that goes on without a step ends `in_part`; `eventcore dr resume` tries the step again. Withheld are steps that must not be done before.',
    failureTable(),
    '## When a plan is void',
    OUTDATED,
    '',
  ].join('\n\n');
}

const PREFACE = [
  'All decisions of a recovery are pure functions over what was found, and tables that the compiler keeps whole: a new trigger, state, strategy or step does not compile before each of its cells is decided. This page says them in words; a test holds it against the code.',
].join('\n');

const FINDING = [
  `Servers are asked from all vantage points. A standby counts as one for its primary: its receiver heard it within ${formatSpan(HEARD_BOUND_MS)} (half of \`wal_receiver_timeout\`, after which a receiver asks, and time for the answer), or it did not. A vantage point that reaches no server while others reach some of the same is cut off itself, and is not counted.`,
  'The primary is who says so; of several the one of the newest timeline, and never one that the record of the last recovery has left behind (an earlier timeline, or another system identifier). Where nobody says so it is, in this order: who was sampled last since the last recovery, who is on record, whom a standby follows, the only server that does not say that it is a standby.',
  '`refused` is not dead: somebody is there. Silence from one place alone is `disputed`, since a cut network looks the same. A primary that answers somebody is not made `disputed` by a receiver that does not hear it.',
].join('\n\n');

const CANDIDATES = [
  'A standby must not take over when it has another system identifier than the primary, is on an earlier timeline than another, has its replay paused or delayed on purpose, stands behind a fence of ours, or does not say how far it is. Its position is the greater one of what it received and replayed.',
  'When nothing more arrives (after the fence and the drain), it must not either when another that may take over has more, when one that may not has more (unless whoever approved has accepted the loss), or when it lacks more than may be lost. Of the rest the most advanced is taken; of equals, one in the region of the primary, then the first by address.',
].join('\n\n');

const LOSS = [
  'Bytes: the greatest position that was ever seen of the primary, from samples as well, less that of the standby, where both are on one timeline. Events: these bytes at the rate of the samples. Time: from the newest sample that the standby covers (or the newest point of a vault) to when the primary may have written last: now where it answers, else the last sign of it and the time until there would have been another sample.',
  `What is not known is null. It is 0 only where that is shown: the primary is fenced, nobody is in, and the standby has its end. A sample older than ${formatSpan(SAMPLE_BOUND_MS)} is no ground to go without \`--accept-data-loss\`.`,
].join('\n\n');

const STRATEGY = [
  'The first way that is possible is taken. In brackets: only when it is named with `--strategy`. `a ⇄ b`: where both are possible, the one that loses less, as far as both are known; the standby where it keeps what `objectives.rpo` promises, or where that cannot be told. No cell of `data_corruption` and `security_breach` can hold a promotion: their types have none. A strategy that is not in the cell is refused, whoever asks for it.',
].join('\n');

const MOVES =
  'The state is the last entry of the step. `holds`: its postcondition is so; `open`: it is not, or there is nothing to look at; `unknown`: the look itself failed. Of steps that are done, the world is only asked where others can undo them.';

const OUTDATED = `Before a run begins: when the plan is older than ${formatSpan(PLAN_BOUND_MS)}; when the primary is another server, has another system identifier or timeline; when it answers and did not before (but for damage and breaches), or does not and was to hand over; when two take writes; when no standby of the target region may take over any longer, or one elsewhere has more while the primary is dead; when nothing can be read to restore from, or to write the journal to.`;

function strategyTable(): string {
  const rows = DISASTER_TRIGGERS.flatMap((trigger) =>
    STATES.map((state) => {
      const { text } = cellOf(trigger, state);
      return [`\`${trigger}\``, `\`${state}\``, waysText(trigger, state), text];
    }),
  );
  return table(['trigger', 'primary', 'ways, in this order', 'why'], rows);
}

/** The ways of a cell in one line. */
export function waysText(trigger: (typeof DISASTER_TRIGGERS)[number], state: PrimaryState): string {
  const { tries, onDemand, compares } = cellOf(trigger, state);
  const name = (way: Way): string => `\`${WAYS[way]}\` (${WAY_WORDS[way]})`;
  const ways = tries.map((way) => {
    if (compares?.[0] === way) return `${name(way)} ⇄ ${name(compares[1])}`;
    return compares?.[1] === way ? null : name(way);
  });
  const shown = ways.filter((way) => way !== null).join(', ');
  const named = onDemand.length === 0 ? '' : ` [${onDemand.map(name).join(', ')}]`;
  return shown + named === '' ? 'none' : shown + named;
}

function stepTable(ruleOf: (step: (typeof RECOVERY_STEPS)[number]) => StepRule): string {
  return table(
    ['step', '', 'what'],
    RECOVERY_STEPS.map((step) => {
      const { does, text } = ruleOf(step);
      return [`\`${step}\``, does ? 'does' : '–', text];
    }),
  );
}

function triggerTable(): string {
  const rows = DISASTER_TRIGGERS.map((trigger) => {
    const changes = Object.entries(TRIGGER_STEPS[trigger]).map(
      ([step, { does, text }]) => `\`${step}\` ${does ? 'does' : 'is left out'}: ${text}`,
    );
    return [
      `\`${trigger}\``,
      NEEDS_INSTANT[trigger] ? 'must be named (`--at`)' : 'may be named, for a restore',
      MERGES_SALVAGED[trigger] ? 'where asked for' : 'never',
      changes.length === 0 ? 'nothing' : changes.join('. '),
    ];
  });
  return table(['trigger', 'instant', 'salvaged events are added', 'steps'], rows);
}

function movesTable(): string {
  const states = Object.entries(STEP_MOVES);
  return table(
    ['journal', 'look', 'then', 'why'],
    states.flatMap(([state, findings]) =>
      Object.entries(findings).map(([finding, { move, text }]) => [
        `\`${state}\``,
        `\`${finding}\``,
        `\`${move}\``,
        text,
      ]),
    ),
  );
}

function failureTable(): string {
  const rows = RECOVERY_STEPS.flatMap((step) => {
    const texts = new Map<string, string[]>();
    for (const kind of STRATEGY_KINDS) {
      const { stops, withholds, text } = FAILURES[kind][step];
      const key = JSON.stringify([
        stops ? 'stops' : 'goes on',
        withholds.map((held) => `\`${held}\``).join(', '),
        text,
      ]);
      texts.set(key, [...(texts.get(key) ?? []), kind]);
    }
    return [...texts].map(([key, kinds]) => [
      `\`${step}\``,
      kinds.length === STRATEGY_KINDS.length ? 'all' : kinds.join(', '),
      ...(JSON.parse(key) as string[]),
    ]);
  });
  return table(['step', 'strategy', 'the run', 'withholds', 'why'], rows);
}
