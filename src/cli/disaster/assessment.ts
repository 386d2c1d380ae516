import type { DisasterAssessment, VaultObservation } from '../../core/disaster.ts';
import type { RegionServer } from '../../core/disaster-ports.ts';
import { assess } from '../../disaster/assess.ts';
import { OBSERVE_LIMITS, type Observed, type ObservePorts, observe } from '../../disaster/observe.ts';
import { beginStep } from '../context.ts';
import { folderOf } from '../keys/secrets.ts';
import { runVantage, systemClock } from '../wire.ts';
import { withRegionServers } from './servers.ts';
import type { MissingVault } from './vaults.ts';
import type { DisasterWork } from './work.ts';

/** What is so now, from all places that can be asked, and what that means. */
export interface Assessed {
  readonly observed: Observed;
  readonly assessment: DisasterAssessment;
}

/** Takes as long as the slowest of those who are asked may take. Never throws for what cannot be reached. */
export function assessDisaster(work: DisasterWork): Promise<Assessed> {
  const { context, disaster } = work;
  beginStep(context, 'asking servers and vaults');
  return withRegionServers(disaster, async (servers) => {
    const limits = {
      ...OBSERVE_LIMITS,
      probeMs: disaster.probeTimeoutMs,
      // It asks the servers itself, after it has been reached and has started.
      vantageMs: OBSERVE_LIMITS.vantageMs + disaster.probeTimeoutMs,
    };
    const observed = await observe(observePorts(work, servers), limits, context.signal);
    context.progress.end();
    const assessment = assess({
      nowMs: systemClock.now(),
      servers: servers.map(({ region, address }) => ({ region, server: address })),
      observations: observed.observations,
      samples: observed.samples,
      newestPrimary: observed.lastPrimary,
      vaults: [...observed.vaults, ...work.vaults.missing.map(unreadable)],
      remarks: observed.warnings,
    });
    return { observed, assessment };
  });
}

/** It was tried already: to wait for it once more would cost the time that there is not. */
function unreadable({ region, vault, isArchive, reason }: MissingVault): VaultObservation {
  return { region, vault, isArchive, reason, isReadable: false, newestPoint: null, backups: 0 };
}

function observePorts(work: DisasterWork, servers: readonly RegionServer[]): ObservePorts {
  const { context, disaster, settings, vaults } = work;
  const place = { env: context.env, cwd: folderOf(settings, context) };
  return {
    ...{ clock: systemClock, servers, vaults: vaults.open },
    vantages: disaster.vantages.map(({ name, command }) => ({
      name,
      run: ({ signal }) => runVantage(command, place, signal),
    })),
    health: disaster.regions.flatMap(({ region, health: url }) =>
      url === null ? [] : [{ region, url, ask: ({ signal }) => askHealth(url, signal) }],
    ),
  };
}

/** Only the status counts; what else it says is not read. */
async function askHealth(url: string, signal: AbortSignal): Promise<number> {
  const response = await fetch(url, { signal, redirect: 'manual' });
  await response.body?.cancel();
  return response.status;
}
