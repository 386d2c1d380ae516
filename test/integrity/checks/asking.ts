import assert from 'node:assert/strict';
import type { EventStore } from '../../../src/core/event-store.ts';
import { BUILT_IN_CHECKS } from '../../../src/integrity/checks/built-in.ts';
import {
  type CheckDefinition,
  type CheckFinding,
  type CheckSettings,
  CLOCK_TOLERANCE_MS,
} from '../../../src/integrity/checks/check.ts';
import { type CheckResult, runChecks } from '../../../src/integrity/checks/run.ts';

export interface AskOptions extends Partial<CheckSettings> {
  readonly checks?: readonly CheckDefinition[];
  readonly statementTimeoutMs?: number;
}

/** What each check says of a store, all of it where no sample is named. */
export async function ask(store: EventStore, options: AskOptions = {}): Promise<Map<string, CheckResult>> {
  const { checks = BUILT_IN_CHECKS, statementTimeoutMs = 60_000, ...given } = options;
  const settings: CheckSettings = {
    ...{ sample: null, clockToleranceMs: CLOCK_TOLERANCE_MS, requiredMetadata: [], known: () => null },
    ...given,
  };
  const inspection = await store.openInspection({ statementTimeoutMs });
  assert.ok(inspection !== null);
  try {
    const report = await runChecks(inspection, checks, { settings });
    return new Map(report.checks.map((result) => [result.name, result]));
  } finally {
    await inspection.close();
  }
}

/** The findings, by the checks that have any; fails where a check failed. */
export async function findings(
  store: EventStore,
  options: AskOptions = {},
): Promise<Record<string, readonly CheckFinding[]>> {
  const results = await ask(store, options);
  const failed = [...results.values()].filter(({ state }) => state === 'failed');
  assert.deepEqual(
    failed.map(({ name, reason }) => `${name}: ${reason}`),
    [],
  );
  const found = [...results].filter(([, result]) => result.findings.length > 0);
  return Object.fromEntries(found.map(([name, result]) => [name, result.findings]));
}

/** Fails unless exactly these checks find something, and as many things each. */
export function assertFound(
  found: Readonly<Record<string, readonly CheckFinding[]>>,
  expected: Readonly<Record<string, number>>,
): void {
  const counts = Object.fromEntries(Object.entries(found).map(([name, list]) => [name, list.length]));
  assert.deepEqual(counts, expected, JSON.stringify(found, null, 1));
}
