import type { DisasterTrigger, RecoveryPlan } from '../../core/disaster.ts';
import { isBackupError } from '../../core/errors.ts';
import { makePlan, type PlanFacts } from '../../disaster/plan.ts';
import type { StrategyWish } from '../../disaster/strategy.ts';
import { encodePlan, putPlan } from '../../format/disaster-plan.ts';
import { redactAddress } from '../address.ts';
import { openVault, systemClock } from '../wire.ts';
import { actionPlaces, openPublicName, openScaler } from './actions.ts';
import type { Assessed } from './assessment.ts';
import { describeFences } from './ports.ts';
import type { DisasterWork } from './work.ts';

export interface PlanWish extends StrategyWish {
  readonly trigger: DisasterTrigger;
}

/** Throws `recovery_refused` where there is no way, with the reasons. Nothing is written. */
export async function planRecovery(
  work: DisasterWork,
  { observed, assessment }: Assessed,
  { trigger, ...wish }: PlanWish,
): Promise<RecoveryPlan> {
  const planId = systemClock.uuid();
  const strategy = { kind: 'local_restore' } as const;
  const fences = await describeFences(work, { planId, primary: assessment.primary, strategy });
  const facts = { ...(await configuredFacts(work)), fences, samples: observed.samples };
  return makePlan({ planId, trigger, wish, assessment, facts });
}

async function configuredFacts(work: DisasterWork): Promise<Omit<PlanFacts, 'fences' | 'samples'>> {
  const { context, disaster, settings } = work;
  const places = await actionPlaces(work);
  const servers = disaster.regions.flatMap((region) => region.servers);
  return {
    ...{ software: context.software, nowMs: systemClock.now() },
    regions: await regionFacts(work),
    rpoMs: settings.policy?.objectives?.rpoMs ?? null,
    maxLossBytes: BigInt(disaster.maxDataLossBytes),
    publicName: (await openPublicName(disaster, places))?.describe ?? null,
    hasMigrate: disaster.migrate !== null,
    hasNotifiers: settings.notify.length > 0,
    rejoins: servers.flatMap(({ address, rejoin }) => (rejoin === null ? [] : [redactAddress(address)])),
    mergesSalvaged: false,
  };
}

function regionFacts(work: DisasterWork): Promise<PlanFacts['regions']> {
  const { disaster } = work;
  return Promise.all(
    disaster.regions.map(async ({ region, servers, restoreTo, scale, vault }) => ({
      region,
      servers: servers.map(({ address }) => redactAddress(address)),
      place: restoreTo === null ? null : redactAddress(restoreTo.address),
      vault: openVault(vault).address,
      scale: scale === null ? null : (await openScaler(region, scale, await actionPlaces(work))).describe,
    })),
  );
}

/** Into the vault of its journal, then into those of the other regions as far as they can be written. Gives where it is now. */
export async function storePlan(
  { vaults, keys, context }: DisasterWork,
  plan: RecoveryPlan,
): Promise<readonly string[]> {
  const bytes = encodePlan(plan, keys.signer);
  const home = vaults.all.find(({ vault }) => vault.address === plan.journalVault)!.vault;
  await home.open({ create: true });
  await putPlan(home, bytes);
  const stored = [home.address];
  for (const { vault } of vaults.open.filter((place) => place.keepsJournal && place.vault !== home)) {
    try {
      await putPlan(vault, bytes);
      stored.push(vault.address);
    } catch (error) {
      if (!isBackupError(error)) throw error;
      context.log.warn(`the plan is not in ${vault.address}: ${error.message}`);
    }
  }
  return stored;
}
