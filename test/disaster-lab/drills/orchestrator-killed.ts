import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JournalEntry } from '../../../src/core/disaster.ts';
import { killServer } from '../../harness/clusters.ts';
import { settle } from '../acknowledgements.ts';
import { type Drill, PATIENCE_MS } from '../drill.ts';
import { sqlInside } from '../region-servers.ts';
import { measure } from '../row.ts';
import { acceptances, dr, makePlan, type RunDocument, showRun } from '../run.ts';
import { eventIds, makeWorld, type World, type WorldOptions } from '../world.ts';

/** More than any run has entries: one that makes no progress ends here. */
const MOST_KILLS = 80;
const LEASE_AGE_MS = 120_000;

export const ORCHESTRATOR_KILLED: Drill = {
  name: 'D8',
  does: 'the orchestrator is killed after every entry of its journal, and another host goes on',
  run: async ({ world: options }) => {
    const handover = await killThrough(options, 'switchover');
    const failover = await killThrough(options, 'failover');
    const text = ({ kills, steps }: typeof handover) => `${kills} kills, ${steps} steps done or skipped`;
    return {
      ...failover.row,
      found: `the same end as without kills: a switchover whose old primary becomes a standby (${text(handover)}), and a failover from a dead one (${text(failover)}; measured here)`,
    };
  },
};

type Carry = (world: World, planId: string, accept: readonly string[]) => Promise<number>;

type Kind = 'switchover' | 'failover';

async function killThrough(options: WorldOptions | undefined, kind: Kind) {
  const calm = await changeOver(options, kind, undisturbed);
  const killed = await changeOver(options, kind, killedAtEachEntry);
  assert.deepEqual(killed.end, calm.end);
  return { kills: killed.kills, steps: killed.end.steps.length, row: killed.row };
}

/** At rest, so that what must be there afterwards is known: a standby takes over from a primary that is well, or dead. */
async function changeOver(options: WorldOptions | undefined, kind: Kind, carry: Carry) {
  const world = await makeWorld({ ...options, config: { rejoin: true } });
  try {
    const { east, west, south } = world.servers;
    const writers = world.write({ count: 2, pauseMs: 5 });
    await writers.waitForAcks(100, PATIENCE_MS);
    await writers.stop();
    await sleep(1000);
    if (kind === 'failover') await killServer(east.process);
    const trigger = kind === 'failover' ? 'region_outage' : 'manual_trigger';
    const { plan } = await makePlan(world, ['--trigger', trigger, '--region', 'west']);
    const kills = await carry(world, plan.planId, acceptances(plan));
    const later = world.write({ count: 2 });
    await later.waitForServer(west.address.host, PATIENCE_MS);
    await later.stop();
    const { lostIds, ...account } = settle([...writers.log.all, ...later.log.all], await eventIds(west));
    assert.deepEqual(lostIds, []);
    const run = await showRun(world, plan.planId);
    const roles: Record<string, string> = {};
    for (const server of [east, west, south]) {
      const rows = await sqlInside(server, 'SELECT pg_is_in_recovery() AS is').catch(() => null);
      roles[server.host.name] = rows === null ? 'dead' : rows[0]!.is === true ? 'standby' : 'primary';
    }
    const row = { ...measure(world, run, later), assessMs: null, account, rtoMs: null };
    assert.equal(row.writers, 1);
    return {
      kills,
      row,
      end: { ...endOf(run, world), roles, name: (await world.resolve()) === west.address.host },
    };
  } finally {
    await world.stop();
  }
}

/** What a run came to, without the times and attempts. */
function endOf({ timeline, outcome }: RunDocument, { servers }: World) {
  const over = timeline.filter(({ kind }) => kind === 'done' || kind === 'skipped');
  // Each world has addresses of its own.
  const named = (text: string): string =>
    Object.values(servers).reduce(
      (name, { host, address }) => name.replaceAll(`${address.host}:${address.port}`, host.name),
      text,
    );
  return {
    steps: [...new Set(over.map(({ step }) => step))],
    state: outcome?.state,
    systems: outcome?.systemsRecovered.map(named),
  };
}

async function undisturbed(world: World, planId: string, accept: readonly string[]): Promise<number> {
  await dr(world, ['execute', '--approve', planId, ...accept], [0, 10]);
  return 0;
}

async function killedAtEachEntry(world: World, planId: string, accept: readonly string[]): Promise<number> {
  const seen = new Set<string>();
  let child = world.start(['dr', 'execute', '--approve', planId, ...accept]);
  for (let kills = 0; kills < MOST_KILLS; kills += 1) {
    const code = await untilNews(world, planId, { child, seen });
    if (code !== null) {
      assert.ok(code === 0 || code === 10, `a resumed run ended with ${code}`);
      return kills;
    }
    letLeasesRunOut(world);
    const folder = world.anotherHost(`host-${kills}`);
    child = world.start(['dr', 'resume', planId], { folder });
  }
  throw new Error(`the run is not over after ${MOST_KILLS} kills`);
}

/** Kills the run as soon as its journal has an entry of a kind that it never had. Gives the exit code of one that ended first. */
async function untilNews(
  world: World,
  planId: string,
  { child, seen }: { child: ChildProcess; seen: Set<string> },
): Promise<number | null> {
  const words: string[] = [];
  child.stderr?.on('data', (text: Buffer) => words.push(text.toString()));
  const ended = once(child, 'close');
  const lateMs = performance.now() + PATIENCE_MS;
  while (child.exitCode === null) {
    const news = entriesOf(world, planId).filter((name) => !seen.has(name));
    if (news.length > 0) {
      for (const name of news) seen.add(name);
      child.kill('SIGKILL');
      await ended;
      return null;
    }
    assert.ok(performance.now() < lateMs, `the run stands still: ${words.join('')}`);
    await sleep(2);
  }
  await ended;
  if (child.exitCode !== 0 && child.exitCode !== 10) console.error(words.join(''));
  return child.exitCode;
}

/** What the journal says of which step, in whatever vault it is kept. That somebody went on is no news. */
function entriesOf({ vaults }: World, planId: string): string[] {
  return Object.values(vaults)
    .map((vault) => join(vault, 'disaster/runs', planId))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => /^\d+\.json$/.test(name))
        .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as JournalEntry)
        .filter(({ kind }) => kind !== 'resumed')
        .map(({ kind, step }) => `${kind} ${step}`),
    );
}

/** As if their time had passed: nobody gives back the leases of a run that was killed. */
function letLeasesRunOut({ vaults }: World): void {
  const past = (Date.now() - LEASE_AGE_MS) / 1000;
  for (const vault of Object.values(vaults)) {
    const folder = join(vault, 'leases');
    if (!existsSync(folder)) continue;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), past, past);
    }
  }
}
