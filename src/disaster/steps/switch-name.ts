import type { PublicName } from '../../core/disaster-ports.ts';
import { BackupError } from '../../core/errors.ts';
import type { StepCode, StepContext, StepResult } from '../context.ts';
import { isOver } from '../run-state.ts';
import { assertFenced } from './fence.ts';
import { targetOf } from './look.ts';

/** Key of the approval under which stands what the name pointed to then. */
export const NAME_BEFORE = 'nameBefore';

/** The public name leads to the new place, if nobody else has changed it since the approval. */
export const switchNameStep: StepCode = {
  skip: ({ ports }) => (ports.publicName === null ? 'no name is configured' : null),
  check: async (context) => {
    const to = nameValue(context);
    const name = context.ports.publicName!;
    return (await name.read({ signal: context.signal })) === to ? said(name, to, {}) : null;
  },
  act: async (context) => {
    const to = nameValue(context);
    const name = context.ports.publicName!;
    const call = { signal: context.signal };
    assertTried(context);
    await assertFenced(context);
    const now = await name.read(call);
    const { approval } = context.run;
    const from = NAME_BEFORE in approval ? textOrNull(approval[NAME_BEFORE]) : now;
    if (now !== from) throw changed(name, from, now, to);
    context.assertHeld();
    const facts = await name.switchTo({ from, to }, call);
    const after = await name.read(call);
    if (after !== to) throw changed(name, to, after, to);
    return said(name, to, { ...facts, from });
  },
};

function said(name: PublicName, to: string, facts: StepResult['facts']): StepResult {
  return { text: `${name.name} leads to ${to}`, facts: { ...facts, name: name.name, to } };
}

function nameValue(context: StepContext): string {
  const { address } = targetOf(context);
  const value = context.ports.values.get(address);
  if (value !== undefined) return value;
  throw new BackupError(
    'config_invalid',
    `it is not configured what the public name is to say for ${address}`,
    {
      hint: 'give its region, or the server, a `value`, then resume',
    },
  );
}

/** Nobody is sent to a store of which it was not shown that it works. */
function assertTried({ run, plan }: StepContext): void {
  for (const step of ['check', 'probe'] as const) {
    const isPlanned = plan.steps.some((planned) => planned.step === step && planned.does);
    if (!isPlanned || isOver(run.steps[step])) continue;
    throw new BackupError('recovery_stopped', `the name is not switched: the step \`${step}\` is not done`, {
      hint: 'find out what it failed of, then resume',
    });
  }
}

function textOrNull(fact: unknown): string | null {
  return typeof fact === 'string' ? fact : null;
}

function changed({ name }: PublicName, from: string | null, now: string | null, to: string): BackupError {
  return new BackupError(
    'name_changed',
    `${name} leads to ${now ?? 'nothing'}, and not to ${from ?? 'nothing'}, as it did`,
    {
      hint: `somebody else changes it: find out who, have it lead to ${to} by hand where that is right, then resume`,
    },
  );
}
