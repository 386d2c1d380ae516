import { runLimited } from '../../core/concurrency.ts';
import { isBackupError } from '../../core/errors.ts';
import type { Objective, StoreStatus } from '../../core/status.ts';
import { judgeObjectives } from '../../policy/objectives.ts';
import { type HealthTone, type StoreHealth, storeHealth } from '../../policy/store-health.ts';
import { redactAddress } from '../address.ts';
import { storeName } from '../config/common.ts';
import { requireAddress, type Settings, type SettingsSources } from '../config/config.ts';
import { withVault } from '../context.ts';
import { readStatus, type StatusSources } from '../status/facts.ts';
import { emptyVault } from '../wire.ts';
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
    const { status, isThere } = await statusOf(settings, { signal, nowMs });
    const objectives = judgeObjectives(status, nowMs);
    const health = storeHealth({ status, objectives, jobs: [], trouble: null });
    const reason = isThere ? reasonOf(health) : `no backup yet: ${status.vault} is not there`;
    const next = objectives.find(({ state }) => state !== 'kept')?.next ?? null;
    const hint = isThere ? next : FIRST_BACKUP;
    return { ...own, labels, state: stateOf(health.tone), reason, hint, status, objectives };
  } catch (error) {
    if (!isBackupError(error)) throw error;
    const { message: reason, hint } = error;
    return { ...own, labels, state: 'unreadable', reason, hint: hint ?? null, status: null, objectives: [] };
  }
}

/** The first backup makes the folder of a vault: until then there is nothing in it, as in one that is there and empty. */
async function statusOf(
  settings: Settings,
  { signal, nowMs }: Pick<StatusSources, 'signal' | 'nowMs'>,
): Promise<{ readonly status: StoreStatus; readonly isThere: boolean }> {
  const address = requireAddress(settings, 'vault');
  let isOpen = false;
  try {
    const status = await withVault(address, { create: false }, (vault) => {
      isOpen = true;
      return readStatus({ settings, vault, signal, nowMs });
    });
    return { status, isThere: true };
  } catch (error) {
    if (isOpen || !isBackupError(error, 'vault_unreachable') || error.facts.errno !== 'ENOENT') throw error;
    const vault = { ...emptyVault(), address: redactAddress(address) };
    return { status: await readStatus({ settings, vault, signal, nowMs }), isThere: false };
  }
}

/** A disk that is not mounted looks like that, too. */
const FIRST_BACKUP = '`eventcore backup full` makes it; if there was one, check that the disk is mounted';

function reasonOf({ word, reason }: StoreHealth): string | null {
  return word === 'no backup yet' ? word : reason;
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
