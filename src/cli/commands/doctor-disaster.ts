import { isBackupError } from '../../core/errors.ts';
import { type Check, failed } from '../../doctor/check.ts';
import {
  checkFences,
  checkGuard,
  checkName,
  checkPlaces,
  checkPrimary,
  checkSamples,
  checkSources,
  checkStandbys,
  checkVantages,
} from '../../doctor/disaster-checks.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import type { Settings } from '../config/config.ts';
import { beginStep, type CommandContext } from '../context.ts';
import { assessDisaster } from '../disaster/assessment.ts';
import type { DisasterSettings } from '../disaster/config.ts';
import { findGuard, findName, findPlaces, findServerFences, valueOfPrimary } from '../disaster/facts.ts';
import { withRecoveryPorts } from '../disaster/ports.ts';
import { withDisasterVaults } from '../disaster/vaults.ts';
import type { DisasterWork } from '../disaster/work.ts';
import { systemClock } from '../wire.ts';

/** Whether `eventcore dr` could do what it is there for; nothing where no region is configured. */
export async function lookAtDisaster(
  context: CommandContext,
  settings: Settings,
  load: () => Promise<ReadKeys>,
): Promise<Check[]> {
  const { disaster } = settings;
  if (disaster === null) return [];
  beginStep(context, 'looking at the regions of `disaster`');
  try {
    const keys = await load();
    return await withDisasterVaults(disaster, { create: false, signal: context.signal }, (vaults) =>
      look({ context, settings, disaster, vaults, keys }),
    );
  } catch (error) {
    if (!isBackupError(error) || error.code === 'interrupted') throw error;
    return [failed('dr', error)];
  }
}

async function look(work: DisasterWork): Promise<Check[]> {
  const { context, disaster } = work;
  const assessed = await assessDisaster(work);
  const { assessment, observed } = assessed;
  const plan = {
    planId: systemClock.uuid(),
    primary: assessment.primary,
    strategy: { kind: 'local_restore' } as const,
  };
  return withRecoveryPorts(work, { plan, waitForArchive: false }, async (ports) => [
    checkPrimary(assessment.primary),
    checkStandbys(assessment),
    checkFences(await findServerFences(ports, [...ports.fences.keys()], context.signal)),
    checkGuard(usesLease(disaster) ? await findGuard(work, assessed) : null),
    checkName(await findName(work, ports.publicName, valueOfPrimary(ports, assessment))),
    checkSamples(assessment, observed.samples.length),
    checkPlaces(await findPlaces(ports, [...ports.places.keys()], context.signal)),
    checkVantages(disaster.vantages.map(({ name }) => name)),
    checkSources(assessment),
  ]);
}

function usesLease({ regions }: DisasterSettings): boolean {
  return regions.some(({ servers }) =>
    servers.some(({ fences }) => fences.some(({ lease }) => lease !== undefined)),
  );
}
