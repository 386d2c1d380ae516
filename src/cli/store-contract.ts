import type { EventStore } from '../core/event-store.ts';
import type { Obstacle } from '../core/examination.ts';
import { CLOCK_TOLERANCE_MS } from '../integrity/checks/check.ts';
import { CONSTRAINTS } from '../integrity/checks/constraints.ts';
import { GUARDS } from '../integrity/checks/guards.ts';
import { INDEXES } from '../integrity/checks/indexes.ts';
import { runChecks } from '../integrity/checks/run.ts';

const STATEMENT_TIMEOUT_MS = 30_000;

/** What the tables lack of what keeps events as they are, with what makes it again; or why that cannot be told, in words. */
export async function findBreaches(store: EventStore): Promise<readonly Obstacle[] | string> {
  const inspection = await store.openInspection({ statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  if (inspection === null) return 'the store has no tables';
  const { layout } = inspection.names;
  try {
    if (layout !== 'eventcore') return `a store of ${layout} is kept as it is by guards of its own`;
    const settings = { clockToleranceMs: CLOCK_TOLERANCE_MS, requiredMetadata: [], known: () => null };
    const { checks } = await runChecks(inspection, [GUARDS, CONSTRAINTS, INDEXES], {
      settings: { ...settings, sample: null },
    });
    const failed = checks.find(({ state }) => state === 'failed');
    if (failed !== undefined) return failed.reason!;
    // Tables of others.
    if (checks.every(({ state }) => state === 'skipped')) return checks.at(-1)!.reason!;
    return checks.flatMap(({ findings }) =>
      findings.map(({ message, statements }) => ({
        message,
        hint: statements.length === 0 ? null : statements.map(({ sql }) => inOneLine(sql)).join('; '),
      })),
    );
  } finally {
    await inspection.close();
  }
}

/** The body of a function has comments, which end with their lines. */
function inOneLine(sql: string): string {
  return sql.includes('--') ? sql : sql.replaceAll(/\s+/g, ' ');
}
