import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { whyNoBind } from '../harness/bind.ts';
import { settle, writersAtOnce } from './acknowledgements.ts';
import { sqlInside } from './region-servers.ts';
import { allTaken, eventIds, makeWorld } from './world.ts';

const PATIENCE_MS = 30_000;

test('the laboratory sees two servers that take writes, and counts what one of them lost', {
  skip: whyNoBind(),
}, async (t) => {
  const world = await makeWorld();
  t.after(world.stop);
  const { east, west } = world.servers;
  assert.equal(await world.resolve(), east.address.host);
  const writers = world.write({ count: 2 });
  await writers.waitForAcks(50, PATIENCE_MS);
  await sleep(500);
  assert.equal(writersAtOnce(allTaken(writers.log, world.watcher)), 1);
  assert.equal(world.watcher.mostInOneRound(), 1);

  east.host.cut();
  await sleep(300);
  await sqlInside(west, 'SELECT pg_promote()');
  const inside = world.write({ count: 1, at: { ...east.inside, shownAs: east.address.host } });
  await inside.waitForAcks(50, PATIENCE_MS);
  await inside.stop();
  await writers.stop();
  await world.watcher.stop();
  assert.equal(world.watcher.mostInOneRound(), 2);
  assert.equal(writersAtOnce(allTaken(writers.log, world.watcher)), 2);
  const { acked, lost } = settle(inside.log.all, await eventIds(west));
  assert.deepEqual(lost, acked);
  assert.equal(settle(writers.log.all, await eventIds(east)).lost, 0);
  east.host.heal();
  const { port } = east.address;
  assert.equal((await sqlInside({ inside: east.address }, 'SELECT 1 AS n'))[0]!.n, 1);
  const named = `postgres://postgres@db.eventcore.test:${port}/events`;
  const ran = await world.run(['backup', 'full', '--store', named, '--no-progress']);
  assert.equal(ran.code, 0, ran.stderr);
});
