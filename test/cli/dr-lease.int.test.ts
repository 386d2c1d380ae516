import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DisasterWorld, makeDisasterWorld } from '../harness/disaster-world.ts';
import type { TestPostgres } from '../harness/postgres.ts';

/** A guard beside each server, and a recovery that fences by the lease alone. */

let world: DisasterWorld;
const guards: { readonly child: ChildProcess; said: string }[] = [];

before(async () => {
  world = await makeDisasterWorld('  lease: { vault: ./lease, ttl: 10s }\n');
  mkdirSync(join(world.folder, 'lease'));
  const path = join(world.folder, 'eventcore.config.yaml');
  const fence = 'fence: [postgres, { command: [sh, switch.sh] }]';
  const config = readFileSync(path, 'utf8');
  assert.ok(config.includes(fence));
  writeFileSync(path, config.replace(fence, 'fence: [lease]'));
  await world.append(world.east, 20);
  await world.caughtUp();
  for (const server of [world.east, world.west]) startGuard(server);
});

after(async () => {
  for (const { child } of guards) child.kill('SIGKILL');
  await world.stop();
});

function startGuard(server: TestPostgres): void {
  const child = world.start('dr', 'guard', '--server', world.address(server), '--data-dir', server.dataDir);
  const guard = { child, said: '' };
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (bytes: Buffer) => {
      guard.said += bytes.toString();
    });
  }
  guards.push(guard);
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const lateMs = performance.now() + 15_000;
  while (!(await isSo())) {
    if (performance.now() > lateMs) assert.fail(`${what}: ${guards.map(({ said }) => said).join('\n---\n')}`);
    await sleep(50);
  }
}

it('a switchover hands the lease over: the new primary is open, the old one is closed, and then its standby', async () => {
  await until('open', () => guards[0]!.said.includes('open: '));
  await until('applications get in', () => world.letsIn(world.east));
  await world.succeed('dr', 'sample', '--once');
  const execute = await world.plan('--trigger', 'manual_trigger', '--region', 'west');
  const ran = await world.run(...execute);
  assert.ok(ran.code === 0 || ran.code === 10, `${ran.code} ${ran.stdout}${ran.stderr}`);
  await until('the new primary is open', () => world.letsIn(world.west));
  await until('the old one was told why', () => guards[0]!.said.includes('fences servers up to timeline 1'));
  await until('the old one follows it', () => guards[0]!.said.includes('standby: '));
  assert.deepEqual(await world.east.exec('SELECT pg_is_in_recovery() AS is'), [{ is: true }]);
  assert.equal((await world.count(world.west)) >= 20, true);
});
