import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import type { BackupVerification, FoundProblem } from '../../../src/core/report.ts';
import type { LogVerification } from '../../../src/integrity/verify/log.ts';
import type { HealReport } from '../../../src/upkeep/heal.ts';
import { runHere } from '../../harness/command.ts';
import type { VaultSpecimen } from './specimen.ts';

/** What `eventcore verify` says. */
export interface Verdict {
  readonly code: number | null;
  readonly isSound: boolean;
  readonly reports: readonly Reported[];
  readonly healing: HealReport | null;
}

export interface Reported {
  /** A backup by its name in the specimen, or `log`. */
  readonly about: string;
  readonly problem: FoundProblem;
}

interface Document {
  readonly overallValid: boolean;
  readonly backups: readonly BackupVerification[];
  readonly log: readonly LogVerification[];
  readonly healing?: HealReport;
}

export async function verify(specimen: VaultSpecimen, ...words: string[]): Promise<Verdict> {
  const ran = await runHere(['verify', '--json', '--config', specimen.config, ...words]);
  assert.ok(ran.stdout !== '', ran.stderr);
  const document = JSON.parse(ran.stdout) as Document;
  const names = Object.entries(specimen.backups);
  const nameOf = (id: string): string =>
    names.find(([, { manifest }]) => manifest.backupId === id)?.[0] ?? `unknown ${id}`;
  const backups = document.backups.flatMap(({ backupId, problems }) =>
    problems.map((problem) => ({ about: nameOf(backupId), problem })),
  );
  const logs = document.log.flatMap(({ problems }) => problems.map((problem) => ({ about: 'log', problem })));
  return {
    ...{ code: ran.code, isSound: document.overallValid, healing: document.healing ?? null },
    reports: [...backups, ...logs],
  };
}

/** Each kind of report once, as a damage expects it. */
export function summarise(reports: readonly Reported[]): string[] {
  return [...new Set(reports.map(({ about, problem }) => `${about}: ${problem.code}`))];
}

/** Digests of all that backups and log are, by name: what a listing shows and is not there left out. */
export async function contents({ vault }: VaultSpecimen): Promise<Record<string, string>> {
  const content: Record<string, string> = {};
  for (const prefix of ['backups/', 'log/']) {
    for await (const { name } of vault.list(prefix)) {
      const info = await vault.stat(name);
      if (info === null) continue;
      content[name] = crypto.hash('sha256', await vault.readRange(name, 0, info.sizeBytes));
    }
  }
  return content;
}
