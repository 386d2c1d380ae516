import { after, before, describe } from 'node:test';
import { type DrillWorld, makeDrillWorld } from '../harness/drill-world.ts';
import { FURTHER_SABOTAGES, itFinds } from './sabotage-cases.ts';

describe('a drill finds further things that make backups useless', { concurrency: 2 }, () => {
  let sound: DrillWorld;
  before(async () => {
    sound = await makeDrillWorld();
  });
  after(() => sound.remove());

  itFinds(FURTHER_SABOTAGES, () => sound);
});
