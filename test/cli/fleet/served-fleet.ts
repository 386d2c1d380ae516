import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FleetSettings } from '../../../src/cli/fleet/members.ts';
import type { ServiceLog } from '../../../src/cli/log.ts';
import type { ServeContext } from '../../../src/cli/serve/log.ts';
import { type FleetPorts, type Roster, serveFleet } from '../../../src/cli/serve/roster.ts';
import { BackupError } from '../../../src/core/errors.ts';
import { makeRegistry } from '../../../src/daemon/registry.ts';
import { makeTurns } from '../../../src/daemon/turns.ts';

/** Nothing has a place to run at: it is about who is served. */
const NO_PLACES = {
  lanes: { backup: 0, upkeep: 0, proof: 0, check: 0 },
  ...{ perServer: 1, perVault: 1 },
};

/** Serves a fleet whose jobs never begin. `said`: errors, with the store in front. */
export function serveForTest(
  settings: FleetSettings,
  folder: string,
  everyMs: NonNullable<FleetPorts['everyMs']>,
) {
  const said: string[] = [];
  const log = (of: string): ServiceLog => {
    const say = (message: string): void => void said.push(`${of}${message}`);
    const quiet = (): void => undefined;
    return {
      ...{ error: say, warn: quiet, info: quiet, debug: quiet, tell: say },
      about: ({ store }) => log(`${store}: `),
    };
  };
  const stop = new AbortController();
  const { env } = process;
  const context = { flags: {}, env, cwd: folder, signal: stop.signal, log: log(''), software: 'test' };
  const ask = async () => Promise.reject(new BackupError('internal', 'nobody asks here'));
  const registry = makeRegistry();
  const roster = serveFleet(context as unknown as ServeContext, settings, {
    shared: {
      ...{ registry, turns: makeTurns(NO_PLACES, Date.now), forget: () => undefined, tracing: null },
      askStatus: Object.assign(ask, { leastPeriodMs: () => 0 }),
    },
    take: () => undefined,
    everyMs,
  });
  const kept = roster.keep();
  const end = async (): Promise<void> => {
    stop.abort();
    await kept;
    await roster.stop();
  };
  return { said, roster, registry, end };
}

export function names(roster: Roster): string[] {
  return roster
    .services()
    .map(({ name }) => name)
    .sort();
}

export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1200 && !holds(); i += 1) await sleep(25);
  assert.ok(holds(), what);
}
