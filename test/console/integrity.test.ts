import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import {
  monitorHistory,
  MONITOR_OUTCOMES as PAGE_OUTCOMES,
  CHECK_VERDICTS as PAGE_VERDICTS,
  REPAIR_OUTCOMES,
} from '../../src/console/documents/monitor.ts';
import { integrityRoutes } from '../../src/console/pages/integrity.ts';
import type { Question } from '../../src/console/ports.ts';
import { RUNGS } from '../../src/core/rungs.ts';
import { CHECK_VERDICTS, MONITOR_OUTCOMES } from '../../src/format/monitor-report.ts';
import { STEP_OUTCOMES } from '../../src/format/repair-record.ts';
import { fillStore, makeFolder, runHere } from '../harness/command.ts';
import { answerWith, askHere, jobsOf, pageOf, statusOf, type VisitOptions, visitOf } from './asked-visit.ts';
import { HOSTILE, makeHostile } from './hostile-document.ts';

const page = (options: VisitOptions): Promise<string> =>
  pageOf(integrityRoutes, '/stores/:store/integrity', visitOf(options));

describe('the page of integrity', () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let config: string;
  const monitor = (...words: string[]) => runHere(['monitor', '--once', ...words, '--config', config]);
  const history = async (): Promise<ReturnType<typeof monitorHistory.parse>> => {
    const ran = await runHere(['monitor', '--history', '--json', '--config', config]);
    return monitorHistory.parse(JSON.parse(ran.stdout));
  };

  before(async () => {
    folder = await makeFolder();
    config = join(folder.path, 'c.yaml');
    await fillStore(`sqlite:${join(folder.path, 'events.db')}`, 500);
    writeFileSync(config, 'store: sqlite:./events.db\nvault: ./vault\n');
    assert.equal((await runHere(['backup', 'full', '--config', config])).code, 0);
  });
  after(() => folder.remove());

  it('says that nobody watches where no monitor ever ran, and how one does', async () => {
    const text = await page({ ask: askHere(config) });
    assert.match(text, /Nobody watches over the live store/);
    assert.match(text, /eventcore monitor --once --config \/etc\/shop\.yaml/);
    assert.doesNotMatch(text, /<form/);
    const progress = { step: 'looking', events: 0, bytes: 0, totalEvents: null, totalBytes: null };
    const jobs = jobsOf('monitor').map((view) => ({
      ...{ ...view, runningSinceMs: 0, progress: { ...progress, sinceMs: 0, atMs: 0 } },
    }));
    const served = await page({ ask: askHere(config), store: { jobs } });
    assert.match(served, /Last run/);
    assert.doesNotMatch(served, /<progress/, 'it is never done');
    assert.doesNotMatch(served, /<form/, 'it runs until it is stopped');
  });

  it('says how much was looked at, and that nothing is open', async () => {
    assert.equal((await monitor('--sample', '20%')).code, 0);
    const text = await page({ ask: askHere(config) });
    assert.match(text, /Nothing is wrong where the monitor looked/);
    assert.match(text, /<meter min="0" max="100" value="\d+" aria-label="Events of this round">/);
    assert.match(text, /never yet/);
    assert.match(text, /None: what was found was looked at again/);
    await monitor('--all');
    assert.doesNotMatch(await page({ ask: askHere(config) }), /never yet/);
  });

  it('shows what is open, the command that names it, and no button that repairs', async () => {
    const database = new DatabaseSync(join(folder.path, 'events.db'));
    database.exec(`UPDATE eventcore_events SET event_data = '{"c4n4ry":1}' WHERE rowid = 77`);
    database.close();
    await monitor('--all');
    const text = await page({ ask: askHere(config), store: { jobs: jobsOf('monitor', 'verify') } });
    assert.match(text, /There is damage in the store/);
    assert.match(text, /<code>event_changed<\/code>/);
    assert.match(text, /<td class="">not yet<\/td>/, 'nobody is there to be told');
    assert.match(text, /in block \d+ of the sweep/);
    assert.match(text, /eventcore monitor --once --all --repair --config/);
    assert.doesNotMatch(text, /c4n4ry/);
    const actions = [...text.matchAll(/action="([^"]+)"/g)].map(([, action]) => action);
    assert.deepEqual(actions, ['/stores/shop/jobs/verify/run']);
    assert.equal((await monitor('--all', '--repair', '--apply')).code, 0);
    const repaired = await page({ ask: askHere(config) });
    assert.match(repaired, /<code>put_back_events<\/code> \(1\) .*repaired/);
  });

  it('says what could not be looked at, and the way out', async () => {
    await runHere(['monitor', '--once', '--config', config, '--store', 'sqlite:/nowhere/events.db']);
    const text = await page({ ask: askHere(config) });
    assert.match(text, /The last run of the monitor could not look/);
    assert.match(text, /the store cannot be looked at/);
    assert.match(text, /<code>eventcore doctor<\/code>/);
  });

  it('has words for each outcome of a run and of a repair', async () => {
    assert.deepEqual([PAGE_OUTCOMES, PAGE_VERDICTS], [MONITOR_OUTCOMES, CHECK_VERDICTS]);
    assert.deepEqual(REPAIR_OUTCOMES, STEP_OUTCOMES);
    const document = await history();
    for (const outcome of PAGE_OUTCOMES) {
      const now = { ...document.now!, outcome };
      const runs = document.runs.map((run) => ({ ...run, outcome }));
      assert.doesNotMatch(await page({ ask: answerWith({ ...document, now, runs }) }), /undefined|\[object/);
    }
    for (const outcome of [...REPAIR_OUTCOMES, null]) {
      const repairs = document.repairs.map((repair) => ({
        ...repair,
        steps: repair.steps!.map((step) => ({ ...step, outcome })),
      }));
      const text = await page({ ask: answerWith({ ...document, repairs }) });
      assert.ok(outcome === null || text.includes(`</svg>${outcome}</span>`), text);
    }
  });

  it('lets no text of a document out of its place', async () => {
    const text = await page({ ask: answerWith(makeHostile(await history(), monitorHistory)) });
    assert.ok(!text.includes(HOSTILE) && !text.includes('<script'), text);
    assert.match(text, /&lt;script&gt;alert/);
  });

  it('asks again once the daemon knows of a newer run, and not before', async () => {
    const asked: number[] = [];
    const document = await history();
    const ask = async ({ maxAgeMs }: Question) => {
      asked.push(maxAgeMs);
      return answerWith(document)({ store: '', words: [], maxAgeMs });
    };
    const monitorAt = (at: string) =>
      statusOf({ monitor: { at, coverage: null, openCritical: 0, openWarning: 0 } });
    await page({ ask, store: { status: monitorAt(document.now!.startedAt) } });
    assert.equal(asked.length, 1);
    await page({ ask, store: { status: monitorAt(new Date(Date.now() + 60_000).toISOString()) } });
    assert.equal(asked.length, 3);
    assert.ok(asked[2]! < asked[1]!);
  });

  it('tells an answer that it does not know from one that says nothing', async () => {
    assert.match(await page({ ask: answerWith({ runs: 'many' }) }), /something that this page does not know/);
    assert.match(await page({ ask: async () => ({ state: 'asking', sinceMs: 0 }) }), /is being asked/);
    assert.match(await page({}), /Too many questions/);
    const nowhere = visitOf({ params: { store: 'elsewhere' } });
    assert.match(await pageOf(integrityRoutes, '/stores/:store/integrity', nowhere), /serves no store/);
  });

  it('says of the vault what was verified of it, what never was, and what is unsound', async () => {
    const proven = [{ rung: 'checksum', units: 9 }] as const;
    const verified = (changes: object, state: 'kept' | 'unknown' = 'unknown') =>
      page({
        store: {
          objectives: [
            {
              ...{ name: 'verified_within', region: null, promisedMs: 1, actualMs: 1, state },
              ...{ reason: 'so it is', next: null },
            },
          ],
          status: statusOf({
            verification: { oldestSeconds: 90_000, never: 0, units: 12, unsound: 0, proven, ...changes },
          }),
        },
      });
    assert.match(await verified({}), /All of it was verified, and is sound/);
    assert.match(await verified({}), /<code>checksum<\/code>.*\n?.*9 of 12/);
    for (const rung of RUNGS) {
      assert.doesNotMatch(await verified({ proven: [{ rung, units: 1 }] }), /undefined|\[object/);
    }
    const some = /class="notice warning">(?:(?!<div).)*3 of 12 files were never verified/;
    assert.match(await verified({ never: 3 }), some);
    assert.doesNotMatch(await verified({ never: 3 }, 'kept'), some, 'a log is written all the time');
    assert.match(
      await verified({ unsound: 1 }),
      /1 part of the vault[\s\S]*eventcore verify --heal --config/,
    );
    assert.match(await verified({ units: 0, oldestSeconds: null }), /nothing in the vault to verify/);
    assert.match(await page({}), /What was verified of the vault is not known/);
  });
});
