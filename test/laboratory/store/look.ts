import assert from 'node:assert/strict';
import type { Finding } from '../../../src/core/finding.ts';
import { runHere } from '../../harness/command.ts';
import type { StoreSpecimen } from './specimen.ts';

/** What `eventcore monitor --once` says, as far as it is looked at here. */
export interface Run {
  readonly findings: readonly Finding[];
  /** What was not done, and why. */
  readonly skipped: readonly string[];
  readonly repair?: {
    readonly refusals: readonly { readonly code: string; readonly reason: string }[];
    readonly done: readonly {
      readonly kind: string;
      readonly outcome: string;
      readonly reason: string | null;
    }[];
  };
  /** The look behind the repair. */
  readonly after?: Run;
}

/** Of the test's server, and not of the store: it does without what makes a server safe. */
const OF_THE_SERVER = 'server_safety';

export async function monitor(specimen: StoreSpecimen, ...words: string[]): Promise<Run> {
  const ran = await runHere(['monitor', '--once', '--json', '--config', specimen.config, ...words]);
  assert.ok(ran.stdout !== '', ran.stderr);
  const run = JSON.parse(ran.stdout) as Run;
  return withoutServer(run);
}

function withoutServer(run: Run): Run {
  const findings = run.findings.filter(({ check }) => check !== OF_THE_SERVER);
  return { ...run, findings, ...(run.after === undefined ? {} : { after: withoutServer(run.after) }) };
}

/** Checks that found something, each once. */
export function summarise({ findings }: Run): string[] {
  return [...new Set(findings.map(({ check }) => check))];
}

/** Why what was found was not repaired. */
export function reasonsOf({ repair }: Run): string {
  const refused = repair!.refusals.map(({ code, reason }) => `${code}: ${reason}`);
  const failed = repair!.done.filter(({ outcome }) => outcome !== 'repaired');
  return [...refused, ...failed.map(({ outcome, reason }) => `${outcome}: ${reason}`)].join('\n');
}
