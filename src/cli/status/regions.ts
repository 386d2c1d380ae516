import { runLimited } from '../../core/concurrency.ts';
import type { StatusRegion } from '../../core/status.ts';
import { parseTime } from '../../core/time.ts';
import type { Vault } from '../../core/vault.ts';
import { BACKUPS_PREFIX, MANIFEST_NAME, parseBundleName } from '../../format/bundle.ts';
import { type Catalog, type CatalogEntry, readCatalog } from '../../format/catalog.ts';
import { readLogCatalog } from '../../format/log-catalog.ts';
import { surveyLogs } from '../../recovery/survey.ts';
import { newestInstant } from '../../recovery/windows.ts';
import type { Settings } from '../config/config.ts';
import { isSameVault, type NamedRegion, regionsOf } from '../regions.ts';
import { openVault } from '../wire.ts';
import { type Part, readPart } from './parts.ts';

/** What is known of the vault that is worked with. */
export interface OwnVault {
  readonly vault: Vault;
  readonly catalog: Catalog;
  readonly newestPoint: string | null;
}

/** Regions asked at the same time. */
const AT_ONCE = 4;

/** The regions of the policy, and how far each is behind the primary one. A region that is away is a problem, and no more. */
export async function readRegions(
  { policy }: Settings,
  own: OwnVault,
  signal: AbortSignal,
): Promise<Part<readonly StatusRegion[]>> {
  const regions = policy === null ? [] : regionsOf(policy);
  const parts = await runLimited(regions, AT_ONCE, (region) => readRegion(region, own, signal));
  const found = parts.map(({ value }) => value);
  const primary = found.find(({ kind }) => kind === 'primary')?.newestPoint ?? null;
  return {
    value: found.map((region) => ({ ...region, lagSeconds: secondsBehind(primary, region.newestPoint) })),
    problems: parts.flatMap(({ problems }) => problems),
  };
}

type Holding = Pick<StatusRegion, 'newestPoint' | 'backups'>;

async function readRegion(
  { region, kind, storage }: NamedRegion,
  own: OwnVault,
  signal: AbortSignal,
): Promise<Part<StatusRegion>> {
  const vault = openVault(storage);
  const about = { region, kind, vault: vault.address, lagSeconds: null };
  if (isSameVault(storage, own.vault.address)) {
    const { newestPoint, catalog } = own;
    return { value: { ...about, newestPoint, backups: catalog.backups.length }, problems: [] };
  }
  try {
    const { value, problems } = await readPart(`region ${region}`, signal, async () => {
      await vault.open({ create: false });
      return kind === 'archive' ? listHolding(vault) : readHolding(vault, own.catalog.backups);
    });
    return { value: { ...about, ...(value ?? { newestPoint: null, backups: null }) }, problems };
  } finally {
    await vault.close();
  }
}

/** Of copies, by what `copied` says of the originals: only what is not among them is read. */
export async function readHolding(vault: Vault, copied: readonly CatalogEntry[]): Promise<Holding> {
  const known = new Map(copied.map((entry) => [entry.folder, entry]));
  const [catalog, timelines] = await Promise.all([readCatalog(vault, known), readLogCatalog(vault)]);
  const { windows } = await surveyLogs(vault, catalog, timelines);
  return { newestPoint: newestInstant(windows), backups: catalog.backups.length };
}

/** Nothing of an archive is read: manifests may be deep asleep there. */
async function listHolding(vault: Vault): Promise<Holding> {
  let backups = 0;
  for await (const { name } of vault.list(BACKUPS_PREFIX)) {
    const folder = parseBundleName(name)?.folder;
    if (folder !== undefined && name === folder + MANIFEST_NAME) backups += 1;
  }
  return { newestPoint: null, backups };
}

function secondsBehind(primary: string | null, own: string | null): number | null {
  const [ahead, behind] = [primary, own].map((time) => (time === null ? null : parseTime(time)));
  return ahead == null || behind == null ? null : Math.max(0, Number(ahead - behind) / 1e6);
}
