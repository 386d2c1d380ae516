import {
  type DisasterTrigger,
  RECOVERY_RISKS,
  RECOVERY_STEPS,
  type RecoveryRisk,
  STRATEGY_KINDS,
  type StrategyKind,
} from '../../src/core/disaster.ts';
import { PLAN_BOUND_MS } from '../../src/disaster/plan.ts';
import { FAILURES, STRATEGY_STEPS, TRIGGER_STEPS } from '../../src/disaster/steps-table.ts';
import { cellOf, WAYS } from '../../src/disaster/strategy-table.ts';
import { formatSpan } from '../../src/policy/duration.ts';
import { STATES, waysText } from './spec-page.ts';
import { bullets, commands, GENERATED, sentence, table } from './table.ts';
import { RISK_WORDS, STATE_WORDS, STEP_WORDS, TRIGGER_WORDS } from './words.ts';

/** One page for whoever is woken at night: what to type, what to look at, what each answer means. */
export function triggerPage(trigger: DisasterTrigger): string {
  const words = TRIGGER_WORDS[trigger];
  return [
    `# ${words.title} (\`${trigger}\`)`,
    GENERATED,
    '**Breathe. Nothing below does anything before step 4, and everything can be stopped and taken up again.** Write down the time and what you see.',
    '## 1. Is it this?',
    bullets(words.isIt),
    '## First of all',
    bullets(words.first),
    '## 2. Look',
    commands(['eventcore dr assess']),
    'It asks all servers and vaults and changes nothing. Do it twice, a minute apart. The first line says how the primary is:',
    stateTable(trigger),
    '`doubled`: [two servers take writes](../disaster-recovery.md#two-servers-take-writes) says what to do by hand. Then read the `warning` lines, all of them: they say what was not seen.',
    '## 3. Plan',
    commands(words.plan),
    `It writes down what would be done, and does nothing of it. Read \`strategy\` and the reasons, \`target\`, \`loss\`, and the steps. It is good for ${formatSpan(PLAN_BOUND_MS)}, and only while nothing changes. Where it refuses, the hint says the way out.`,
    'It may name risks. Each must be accepted by name, by somebody who may decide that:',
    riskTable(),
    '## 4. Carry it out',
    commands([
      'eventcore dr execute --approve PLAN --dry-run      # tries every way that the plan will take, and goes none',
      'eventcore dr execute --approve PLAN                # and the flags that the plan asked for',
    ]),
    '`PLAN` is the id that the plan has, or its first characters. Leave it running and look at it from a second terminal, on any host:',
    commands(['eventcore dr status']),
    ...kindsOf(trigger).map((kind) => stepSection(trigger, kind)),
    '## 5. When it stops',
    bullets([
      '**It may be stopped at any time**: Ctrl-C, a closed lid, a dead host. What is done stays done and is not done twice. The fence stays: nobody writes meanwhile.',
      'Exit code 10: a step failed, or the run ended in part. 9: it is refused, and why is said. 7: somebody else runs it: talk to them.',
    ]),
    'Put right what the message names, then go on, on whatever host:',
    commands([
      'eventcore dr resume                                        # the one that is not at its end',
      'eventcore dr resume PLAN --accept-split-brain              # the old primary is switched off: you have seen to that',
      'eventcore dr abandon PLAN --reason "why"                   # give it up, to make another plan; fences stay',
    ]),
    failureTable(trigger),
    '## 6. Afterwards',
    bullets([...words.after, ...AFTER]),
    'Write down what happened while you remember it; the timeline has the times:',
    commands(['eventcore dr status PLAN --timeline > post-mortem.md']),
    '',
  ].join('\n\n');
}

const AFTER = [
  '`eventcore dr status` ends with 0: all is done. With 10: see which step is still open, and resume.',
  '`eventcore list` shows the new full backup. Until it does, the events that came since are in one place only.',
];

function stateTable(trigger: DisasterTrigger): string {
  const rows = STATES.map((state) => {
    const { text, tries, onDemand, hint } = cellOf(trigger, state);
    const isOpen = tries.length + onDemand.length > 0;
    const then = isOpen ? waysText(trigger, state) : 'nothing by itself';
    return [
      `\`${state}\``,
      STATE_WORDS[state],
      then,
      `${sentence(text)}${isOpen ? '' : ` ${sentence(hint)}`}`,
    ];
  });
  return table(['primary', 'means', 'ways, the first possible one is taken', 'why'], rows);
}

function riskTable(): string {
  const rows = Object.entries(RECOVERY_RISKS).map(([risk, flag]) => {
    const { means, before } = RISK_WORDS[risk as RecoveryRisk];
    return [`\`${flag}\``, sentence(means), sentence(before)];
  });
  return table(['flag', 'accepts that', 'before you do'], rows);
}

/** Strategies that this trigger can lead to. */
function kindsOf(trigger: DisasterTrigger): StrategyKind[] {
  const open = new Set(
    STATES.flatMap((state) => {
      const { tries, onDemand } = cellOf(trigger, state);
      return [...tries, ...onDemand].map((way): StrategyKind => WAYS[way]);
    }),
  );
  return STRATEGY_KINDS.filter((kind) => open.has(kind));
}

function stepSection(trigger: DisasterTrigger, kind: StrategyKind): string {
  const rows = RECOVERY_STEPS.flatMap((step) => {
    const { does, text } = TRIGGER_STEPS[trigger][step] ?? STRATEGY_STEPS[kind][step];
    return does ? [[`\`${step}\``, sentence(text)]] : [];
  });
  return `### Steps of \`${kind}\`\n\n${table(['step', 'what it does'], rows)}`;
}

function failureTable(trigger: DisasterTrigger): string {
  const kinds = kindsOf(trigger);
  const rows = RECOVERY_STEPS.flatMap((step) => {
    const used = kinds.filter((kind) => (TRIGGER_STEPS[trigger][step] ?? STRATEGY_STEPS[kind][step]).does);
    if (used.length === 0) return [];
    const rules = used.map((kind) => ({ kind, ...FAILURES[kind][step] }));
    const said = new Map<string, StrategyKind[]>();
    for (const { kind, stops, text } of rules) {
      const words = `${stops ? 'stops' : 'goes on'}: ${text}`;
      said.set(words, [...(said.get(words) ?? []), kind]);
    }
    const then = [...said].map(([words, own]) =>
      said.size === 1 ? sentence(words) : `${own.join(', ')} ${sentence(words)}`,
    );
    return [[`\`${step}\``, then.join(' '), sentence(STEP_WORDS[step])]];
  });
  return table(['failed', 'the run', 'look at'], rows);
}
