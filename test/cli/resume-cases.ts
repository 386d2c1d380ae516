import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { digestAt, makeFolder, runCommand } from '../harness/command.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import {
  backUpSlowly,
  digestBackup,
  killAndTakeUp,
  prepareResumeGround,
  type ResumeGround,
  requireKill,
  startBackup,
  withCatalog,
} from '../harness/resume-runs.ts';
import { asOwner } from '../stores/postgres/seeding.ts';

const EVENTS = 36_000;
/** The soak kills for hours. */
const KILLS = 2;
const MAX_ROUNDS = 6;
/** It lies in the part that is finished first. */
const FIRST = 'SELECT min(ctid) FROM eventcore_events';

/** How the table is read. */
export interface ResumeMode {
  readonly how: string;
  /** Of the server. */
  readonly settings: Readonly<Record<string, string>>;
  /** What does not depend on it is tried as well. */
  readonly isFirst: boolean;
}

/** Backups that are killed, and what the next one makes of them. */
export function describeResume({ how, settings, isFirst }: ResumeMode): void {
  describe(`a full backup ${how} and was killed`, () => {
    let folder: string;
    let remove: () => Promise<void>;
    let postgres: TestPostgres;
    let ground: ResumeGround;

    before(async () => {
      ({ path: folder, remove } = await makeFolder());
      postgres = await startPostgres({ settings: { max_prepared_transactions: '20', ...settings } });
      ground = await prepareResumeGround(folder, postgres, EVENTS);
    });
    after(async () => {
      await postgres?.stop();
      await remove();
    });
    beforeEach(() => rmSync(join(folder, 'vault'), { recursive: true, force: true }));

    it('is taken up: what was finished is kept, what came since is added, nothing is lost or doubled', async (context) => {
      let kills = 0;
      let rounds = 0;
      const sum = { filesKept: 0, eventsAdded: 0 };
      while (kills < KILLS || sum.filesKept === 0 || sum.eventsAdded === 0) {
        const round = await killAndTakeUp(ground, 2);
        rounds += 1;
        kills += round.kills;
        sum.filesKept += round.filesKept;
        sum.eventsAdded += round.eventsAdded;
        context.diagnostic(JSON.stringify(round));
        assert.ok(rounds < MAX_ROUNDS, 'kills come too late, or nothing is kept or added');
      }
    });

    it('says so, and the restored store is the live one', async () => {
      await requireKill(ground, 3);
      const list = await runCommand(folder, ['list', '--vault', 'vault']);
      assert.match(list.stdout, /can be taken up/);
      const ran = await runCommand(folder, [
        ...['backup', 'full', '--level', '9', '--store', ground.store, '--vault', 'vault'],
      ]);
      assert.equal(ran.code, 0, ran.stderr);
      assert.match(ran.stdout, /taken up +an attempt of .*: kept [\d,]+ events in \d+ files?, added 0/);
      const target = postgres.address(await postgres.createDatabase());
      const restored = await runCommand(folder, ['restore', '--to', target, '--vault', 'vault']);
      assert.equal(restored.code, 0, restored.stderr);
      assert.equal(await digestAt(target), await digestAt(ground.store));
    });

    const changes: readonly (readonly [string, () => Promise<unknown>, RegExp])[] = [
      [
        'was written anew',
        () => postgres.exec('VACUUM FULL eventcore_events', ground.database),
        /the table was written anew/,
      ],
      [
        'had an event changed that was kept',
        () => change(`UPDATE eventcore_events SET event_data = '{"changed": 1}' WHERE ctid = (${FIRST})`),
        /otherwise in the store now|found twice/,
      ],
      [
        'had an event removed that was kept',
        () => change(`DELETE FROM eventcore_events WHERE ctid = (${FIRST})`),
        /rows were changed or removed/,
      ],
    ];
    const change = (sql: string): Promise<void> => asOwner(postgres, ground.database, sql);

    // What a scan of several parts finds differs from what one of blocks finds in the last case alone.
    for (const [what, make, reason] of isFirst ? changes : changes.slice(-1)) {
      it(`is begun anew where the table ${what}, and says why`, async () => {
        await requireKill(ground, 3);
        await make();
        const ran = await backUpSlowly(ground);
        assert.equal(ran.code, 0, ran.stderr);
        const report = JSON.parse(ran.stdout);
        assert.equal(report.resumed, null);
        assert.match(ran.stderr, reason);
        assert.equal((await digestBackup(folder, report.backupId)).digest, await digestAt(ground.store));
        await withCatalog(folder, async ({ unfinished }) => assert.deepEqual(unfinished, []));
      });
    }

    // What is taken up is decided before anything is read, and so in the same way.
    if (!isFirst) return;

    it('keeps nothing of a finished file that was damaged since', async () => {
      await requireKill(ground, 4);
      await withCatalog(folder, async ({ unfinished: [attempt] }, vault) => {
        const names: string[] = [];
        for await (const { name } of vault.list(attempt!.folder)) names.push(name);
        const name = names.find((one) => one.endsWith('.columns.zst'))!;
        const { sizeBytes } = (await vault.stat(name))!;
        const bytes = new Uint8Array(await vault.readRange(name, 0, sizeBytes));
        bytes[sizeBytes >> 1]! ^= 1;
        await vault.removeObject(name);
        const object = await vault.createObject(name);
        await object.write(bytes);
        await object.commit();
      });
      const ran = await backUpSlowly(ground);
      assert.equal(ran.code, 0, ran.stderr);
      const { resumed, backupId } = JSON.parse(ran.stdout);
      assert.ok(resumed.filesKept > 0);
      assert.equal((await digestBackup(folder, backupId)).digest, await digestAt(ground.store));
    });

    it('is not taken up while it is being written, nor with --no-resume, nor in another format', async () => {
      const first = startBackup(ground);
      const second = await backUpSlowly(ground);
      assert.equal(second.code, 0, second.stderr);
      assert.equal(JSON.parse(second.stdout).resumed, null);
      assert.equal((await first.ended).code, 0);
      await requireKill(ground, 3);
      for (const words of [['--no-resume'], ['--format', 'jsonl']]) {
        const ran = await backUpSlowly(ground, ...words);
        assert.equal(ran.code, 0, ran.stderr);
        assert.equal(JSON.parse(ran.stdout).resumed, null);
      }
      await withCatalog(folder, async ({ backups, unfinished }) => {
        assert.equal(unfinished.length, 1);
        assert.ok(backups.length >= 4);
      });
    });

    it('is taken up by one of two runs that begin at once', async () => {
      await requireKill(ground, 3);
      const both = await Promise.all([backUpSlowly(ground), backUpSlowly(ground)]);
      const reports = both.map(({ code, stdout, stderr }) => {
        assert.equal(code, 0, stderr);
        return JSON.parse(stdout);
      });
      assert.equal(reports.filter(({ resumed }) => resumed !== null).length, 1);
      for (const { backupId } of reports) {
        assert.equal((await digestBackup(folder, backupId)).digest, await digestAt(ground.store));
      }
    });

    it('is also what Ctrl-C leaves behind', async () => {
      const { child, ended } = startBackup(ground);
      const hasFinished = () =>
        withCatalog(folder, async ({ unfinished }) => unfinished.some(({ objects }) => objects > 6));
      while (!(await hasFinished())) assert.equal(child.exitCode, null);
      child.kill('SIGINT');
      const { code, stderr } = await ended;
      assert.equal(code, 130);
      assert.match(stderr, /what was finished stays in backups.*goes on from there/);
      const ran = await backUpSlowly(ground);
      assert.equal(ran.code, 0, ran.stderr);
      assert.ok(JSON.parse(ran.stdout).resumed.filesKept > 0);
    });

    it('that is named and is not there is an error', async () => {
      const ran = await backUpSlowly(ground, '--resume', '00000000');
      assert.equal(ran.code, 3);
      assert.match(ran.stderr, /attempt 00000000 cannot be taken up: there is no such attempt/);
    });
  });
}
