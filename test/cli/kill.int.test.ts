import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  type KillGround,
  killOneBackup,
  killOneMerge,
  killOneRestore,
  prepareKillGround,
} from '../harness/kill-runs.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

const EVENTS = 20_000;
/** The soak kills for hours. */
const RUNS = 2;

describe('a command that is killed', () => {
  let folder: string;
  let postgres: TestPostgres;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eventcore-kill-'));
    postgres = await startPostgres();
  });

  after(async () => {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const newAddress = {
    sqlite: async (): Promise<string> => `sqlite:${join(folder, `store-${randomUUID()}.db`)}`,
    postgres: async (): Promise<string> => postgres.address(await postgres.createDatabase()),
  };

  for (const kind of ['sqlite', 'postgres'] as const) {
    describe(`on ${kind}`, () => {
      let ground: KillGround;

      before(async () => {
        ground = await prepareKillGround(kind, join(folder, kind), EVENTS, newAddress[kind]);
      });

      it('never leaves a backup that is not whole, and the next one succeeds', async (context) => {
        for (let run = 0; run < RUNS; run += 1) context.diagnostic(await killOneBackup(ground));
      });

      it('never leaves half a restore that readers see, and the next one succeeds', async (context) => {
        for (let run = 0; run < RUNS; run += 1) context.diagnostic(await killOneRestore(ground));
      });

      it('merges all or nothing, and loses nothing that others append meanwhile', async (context) => {
        for (let run = 1; run < RUNS; run += 1) context.diagnostic(await killOneMerge(ground));
      });
    });
  }
});
