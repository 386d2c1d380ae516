import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CommandContext } from '../context.ts';
import { listFleet, requireFleet } from './members.ts';
import { FLEET_STATES, type FleetRow, type FleetState, readRows } from './rows.ts';

/** How a command is told to look at all stores of a fleet. */
export interface FleetFlags {
  readonly fleet?: true;
  readonly label?: readonly Label[];
  readonly state?: readonly FleetState[];
}

interface Label {
  readonly name: string;
  /** Null: whatever it is. */
  readonly value: string | null;
}

export function addFleetOptions(command: Command): Command {
  return command
    .option('--fleet', 'of all stores of the fleet whose common configuration is named, the worst first')
    .option(
      '--label <name=value>',
      'with --fleet: only stores with this label (repeatable: with all of them)',
      addLabel,
    )
    .addOption(
      new Option('--state <state...>', 'with --fleet: only stores that are so').choices([...FLEET_STATES]),
    );
}

function addLabel(text: string, before: readonly Label[] = []): Label[] {
  const [, name, value] = /^([^=]+)(?:=(.*))?$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('expected a label, as team=billing or team');
  return [...before, { name, value: value ?? null }];
}

/** The worst first, and how many there are that were not asked for. Throws `usage` and `config_invalid`. */
export async function readFleet(
  context: CommandContext,
  { label = [], state }: FleetFlags,
): Promise<{ readonly rows: readonly FleetRow[]; readonly count: number }> {
  const { env, cwd, signal } = context;
  const fleet = requireFleet(await context.settings(), context);
  const files = await listFleet(fleet);
  const hasLabels = (labels: FleetRow['labels']): boolean =>
    label.every(({ name, value }) => (value === null ? name in labels : labels[name] === value));
  const rows = await readRows(files, hasLabels, { env, cwd, signal });
  return {
    rows: state === undefined ? rows : rows.filter((row) => state.includes(row.state)),
    count: files.length,
  };
}
