/** Drills that are killed: the next one finds what they left, and the store and its backups are as they were. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type DrillGround, killOneDrill, prepareDrillGround } from '../harness/drill-kills.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

describe('a drill that is killed leaves nothing that the next one does not remove', () => {
  let server: TestPostgres;
  let ground: DrillGround;
  before(async () => {
    server = await startPostgres();
    ground = await prepareDrillGround(server, ['full_restore']);
  });
  after(async () => {
    ground.remove();
    await server.stop();
  });

  for (const target of ['files', 'databases', 'server'] as const) {
    it(`restoring into ${target}`, async () => {
      await killOneDrill(ground, target);
    });
  }

  it('and what was there was what it should have found', () => {
    assert.ok(ground.killed > 0, 'no drill was killed before it ended by itself');
  });
});
