import type { Stages } from '../../core/stages.ts';

/** For `--json`: whole milliseconds and bytes. */
export function roundedStages(stages: Stages): Stages {
  const entries = Object.entries(stages).map(([name, value]) => [name, Math.round(value)]);
  return Object.fromEntries(entries) as Stages;
}
