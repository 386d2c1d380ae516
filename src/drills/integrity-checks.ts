import { isBackupError } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import type { Finding } from '../core/finding.ts';
import type { HeadLine } from '../format/heads.ts';
import { BUILT_IN_CHECKS } from '../integrity/checks/built-in.ts';
import { type CheckDefinition, CLOCK_TOLERANCE_MS } from '../integrity/checks/check.ts';
import { type ChecksReport, runChecks } from '../integrity/checks/run.ts';
import type { DrillContext } from './context.ts';
import { proofFailed } from './points.ts';

export interface ExpectedStreams {
  /** Streams that had gaps or copies when they were backed up. */
  readonly known: ReadonlyMap<string, HeadLine>;
  /** With which version streams of the store that was backed up begin. */
  readonly versionBase: 0 | 1;
}

/** These ask the server, and not the store: one that was made for a drill is no server to keep events on. */
const OF_THE_SERVER = ['server_safety', 'checksum_failures'];
const CHECKS = BUILT_IN_CHECKS.filter(({ name }) => !OF_THE_SERVER.includes(name));
const STATEMENT_TIMEOUT_MS = 3_600_000;

/**
 * Runs all checks of a live store on a restored one. What the live store has as well is its own, and no fault of the restore. Throws
 * `verification_failed`.
 */
export async function findUnsound(
  context: DrillContext,
  restored: EventStore,
  { known, versionBase }: ExpectedStreams,
): Promise<{ checks: number; skipped: number; alsoInStore: number }> {
  const report = await ask(restored, CHECKS, { known, versionBase }, context.signal);
  if (report === null) return { checks: 0, skipped: CHECKS.length, alsoInStore: 0 };
  const failed = report.checks.find(({ state }) => state === 'failed');
  if (failed !== undefined) throw proofFailed(`check ${failed.name} could not be asked: ${failed.reason}`);
  const found = report.checks.flatMap(({ findings }) => findings);
  const own =
    found.length === 0 ? new Set<string>() : await findingsOfStore(context, found, { known, versionBase });
  const new_ = found.filter((finding) => !own.has(keyOf(finding)));
  const [first] = new_;
  if (first !== undefined) {
    const more = new_.length === 1 ? '' : `, and ${new_.length - 1} more findings`;
    throw proofFailed(`the restored store is not sound: ${first.check}: ${first.message}${more}`);
  }
  const skipped = report.checks.filter(({ state }) => state === 'skipped').length;
  return { checks: report.checks.length - skipped, skipped, alsoInStore: found.length };
}

async function ask(
  store: EventStore,
  checks: readonly CheckDefinition[],
  { known, versionBase }: ExpectedStreams,
  signal: AbortSignal,
): Promise<ChecksReport | null> {
  const opened = await store.openInspection({ statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  if (opened === null) return null;
  const inspection = { ...opened, names: { ...opened.names, versionBase } };
  try {
    return await runChecks(inspection, checks, {
      signal,
      settings: {
        ...{ sample: null, clockToleranceMs: CLOCK_TOLERANCE_MS, requiredMetadata: [] },
        known: (streamId) => known.get(streamId) ?? null,
      },
    });
  } finally {
    await inspection.close();
  }
}

/** Only those checks are asked that found something. Where the store cannot be asked, nothing is its own. */
async function findingsOfStore(
  { store, signal }: DrillContext,
  found: readonly Finding[],
  expected: ExpectedStreams,
): Promise<Set<string>> {
  if (store === null) return new Set();
  const names = new Set(found.map(({ check }) => check));
  try {
    const report = await ask(
      store,
      CHECKS.filter(({ name }) => names.has(name)),
      expected,
      signal,
    );
    return new Set(report?.checks.flatMap(({ findings }) => findings).map(keyOf) ?? []);
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    return new Set();
  }
}

function keyOf({ check, streamId, version, eventId, object }: Finding): string {
  return JSON.stringify([check, streamId, version, eventId, object]);
}
