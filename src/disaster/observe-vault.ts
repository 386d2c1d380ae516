import type { PositionSample, VaultObservation } from '../core/disaster.ts';
import { parseTime } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { readCatalog } from '../format/catalog.ts';
import { type PrimaryRecord, readNewestPrimary } from '../format/disaster-primary.ts';
import { readNewestSamples } from '../format/disaster-sample.ts';
import { readLogCatalog } from '../format/log-catalog.ts';
import { surveyLogs } from '../recovery/survey.ts';
import { archivedManifests } from '../upkeep/recall.ts';
import { whyNot } from './reason.ts';
import { within } from './within.ts';

export interface ObservedVault {
  readonly region: string;
  /** Need not be reachable. It is opened; to do that again changes nothing. Whoever gives it closes it. */
  readonly vault: Vault;
  readonly isArchive: boolean;
}

export interface VaultFindings {
  readonly observation: VaultObservation;
  readonly samples: readonly PositionSample[];
  readonly lastPrimary: PrimaryRecord | null;
  readonly warnings: readonly string[];
}

interface Limits {
  readonly vaultMs: number;
  readonly samples: number;
}

/**
 * Whether a vault can be read, and what it brings back. Samples and the record of the primary are read beside that, so that a large
 * catalog does not hide them. Never throws.
 */
export async function observeVault(
  place: ObservedVault,
  limits: Limits,
  signal?: AbortSignal,
): Promise<VaultFindings> {
  const { vault } = place;
  const opened = await within(limits.vaultMs, signal, () => vault.open({ create: false }));
  if (opened.kind !== 'done') return unreadable(place, whyNot(opened));
  const [holdings, samples, primary] = await Promise.all([
    within(limits.vaultMs, signal, () => readHoldings(place)),
    within(limits.vaultMs, signal, () => readNewestSamples(vault, limits.samples)),
    within(limits.vaultMs, signal, () => readNewestPrimary(vault)),
  ]);
  const warnings = [
    ...(samples.kind === 'done' ? [] : [`no samples can be read in ${vault.address}: ${whyNot(samples)}`]),
    ...(primary.kind === 'done'
      ? primary.result.unreadable.map(
          (name) => `${name} in ${vault.address} cannot be read: who is the primary may have changed`,
        )
      : [`who was made the primary last cannot be read in ${vault.address}: ${whyNot(primary)}`]),
  ];
  const rest = {
    samples: samples.kind === 'done' ? samples.result : [],
    lastPrimary: primary.kind === 'done' ? primary.result.record : null,
  };
  if (holdings.kind !== 'done') {
    const { observation } = unreadable(place, whyNot(holdings));
    return { ...rest, observation, warnings };
  }
  return { ...rest, observation: { ...placeOf(place), ...holdings.result }, warnings };
}

function placeOf({ region, vault }: ObservedVault): Pick<VaultObservation, 'region' | 'vault'> {
  return { region, vault: vault.address };
}

type Holdings = Omit<VaultObservation, 'region' | 'vault'>;

/** Nothing is recalled: that costs, and takes hours. */
async function readHoldings({ vault, isArchive }: ObservedVault): Promise<Holdings> {
  const archived = await archivedManifests(vault);
  if (archived.length > 0) {
    const reason = `${archived.length} manifests are in an archive tier: recall them to see what they bring back`;
    return { isReadable: true, reason, newestPoint: null, backups: archived.length, isArchive: true };
  }
  const catalog = await readCatalog(vault);
  const { windows, problems } = await surveyLogs(vault, catalog, await readLogCatalog(vault));
  const damaged = catalog.damaged.map(({ backupId, message }) => `${backupId}: ${message}`);
  const faults = [...damaged, ...problems];
  return {
    ...{ isReadable: true, reason: faults.length === 0 ? null : faults.join('; ').slice(0, 1000), isArchive },
    ...{ newestPoint: latest(windows.map(({ to }) => to)), backups: catalog.backups.length },
  };
}

/** Times are written with three digits or six: as texts they have no order. */
function latest(times: readonly string[]): string | null {
  return times.reduce<string | null>(
    (newest, time) => (newest === null || parseTime(time)! > parseTime(newest)! ? time : newest),
    null,
  );
}

function unreadable(place: ObservedVault, reason: string): VaultFindings {
  const { isArchive } = place;
  const nothing = { isReadable: false, reason, newestPoint: null, backups: 0, isArchive };
  return { observation: { ...placeOf(place), ...nothing }, samples: [], lastPrimary: null, warnings: [] };
}
