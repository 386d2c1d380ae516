import { runLimited } from '../../core/concurrency.ts';
import { isBackupError } from '../../core/errors.ts';
import type { Objective, StoreStatus } from '../../core/status.ts';
import { judgeObjectives } from '../../policy/objectives.ts';
import { type HealthTone, storeHealth } from '../../policy/store-health.ts';
import { storeName } from '../config/common.ts';
import { requireAddress, type SettingsSources } from '../config/config.ts';
import { withVault } from '../context.ts';
import { readStatus } from '../status/facts.ts';
import { readMember } from './members.ts';

/** One store of a fleet, as its own vault tells. */
export interface FleetRow {
  readonly name: string;
  readonly config: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: FleetState;
  /** Why it is not well; null: it is. */
  readonly reason: string | null;
  /** What to do, where that is known. */
  readonly hint: string | null;
  /** Null: it cannot be asked. */
  readonly status: StoreStatus | null;
  readonly objectives: readonly Objective[];
}

/** `unreadable`: its configuration or its vault cannot be read. */
export const FLEET_STATES = ['unreadable', 'bad', 'warning', 'good'] as const;
export type FleetState = (typeof FLEET_STATES)[number];

/** So many vaults are read at once. */
const AT_ONCE = 8;

export type RowSources = Pick<SettingsSources, 'env' | 'cwd'> & { readonly signal: AbortSignal };

/** The worst first. A vault that is away is a row, and no failure. `wanted`: of which labels. */
export async function readRows(
  files: readonly string[],
  wanted: (labels: FleetRow['labels']) => boolean,
  sources: RowSources,
): Promise<FleetRow[]> {
  const rows = await runLimited(files, AT_ONCE, (file) => readRow(file, wanted, sources), sources.signal);
  return rows.filter((row) => row !== null).sort(compareRows);
}

async function readRow(
  file: string,
  wanted: (labels: FleetRow['labels']) => boolean,
  { env, cwd, signal }: RowSources,
): Promise<FleetRow | null> {
  const own = { name: storeName(file), config: file };
  let labels: FleetRow['labels'] = {};
  const nowMs = Date.now();
  try {
    const settings = await readMember(file, { env, cwd });
    ({ labels } = settings);
    if (!wanted(labels)) return null;
    const status = await withVault(requireAddress(settings, 'vault'), { create: false }, (vault) =>
      readStatus({ settings, vault, signal, nowMs }),
    );
    const objectives = judgeObjectives(status, nowMs);
    const { tone, reason } = storeHealth({ status, objectives, jobs: [], trouble: null });
    const next = objectives.find(({ state }) => state !== 'kept')?.next ?? null;
    return { ...own, labels, state: stateOf(tone), reason, hint: next, status, objectives };
  } catch (error) {
    if (!isBackupError(error)) throw error;
    const { message: reason, hint } = error;
    return { ...own, labels, state: 'unreadable', reason, hint: hint ?? null, status: null, objectives: [] };
  }
}

function stateOf(tone: HealthTone): FleetState {
  return tone === 'faint' ? 'warning' : tone;
}

/** Of those that are alike the one whose newest point is oldest. */
function compareRows(a: FleetRow, b: FleetRow): number {
  return (
    FLEET_STATES.indexOf(a.state) - FLEET_STATES.indexOf(b.state) ||
    compareTexts(a.status?.newestPoint ?? '', b.status?.newestPoint ?? '') ||
    compareTexts(a.name, b.name)
  );
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
