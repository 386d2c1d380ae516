import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openVault } from '../../src/cli/wire.ts';
import {
  assessment,
  COPY_STATES,
  OUTCOME_STATES,
  PRIMARY_STATES,
  PROBE_OUTCOMES,
  recoveryRun,
  STEP_STATES,
} from '../../src/console/documents/disaster.ts';
import { regionRoutes } from '../../src/console/pages/regions.ts';
import type { Question } from '../../src/console/ports.ts';
import { DISASTER_TRIGGERS, type JournalEntry, RECOVERY_STEPS } from '../../src/core/disaster.ts';
import type { Vault } from '../../src/core/vault.ts';
import { encodeEntry, putEntry } from '../../src/format/disaster-journal.ts';
import { encodePlan, putPlan } from '../../src/format/disaster-plan.ts';
import { digestRecord } from '../../src/format/record.ts';
import { runHere } from '../harness/command.ts';
import { sampleEntry, samplePlan } from '../harness/sample-disaster.ts';
import { answerWith, askHere, pageOf, type VisitOptions, visitOf } from './asked-visit.ts';
import { HOSTILE, makeHostile } from './hostile-document.ts';

const page = (options: VisitOptions): Promise<string> =>
  pageOf(regionRoutes, '/stores/:store/regions/disaster', visitOf(options));

const steps = RECOVERY_STEPS.map((step) => ({ step, does: step !== 'restore', text: `does ${step}` }));
const at = (second: number): string => `2026-11-29T20:00:0${second}.000Z`;
const STORY: readonly Partial<JournalEntry>[] = [
  { kind: 'approved', at: at(0), text: 'approved', facts: {} },
  { kind: 'intent', step: 'fence', at: at(1), text: 'fencing', facts: {} },
  { kind: 'done', step: 'fence', at: at(4), text: 'nobody but us can write', facts: {} },
  { kind: 'failed', step: 'promote', at: at(5), text: 'it does not listen', facts: {} },
];

/** Servers that nobody listens for, and two vaults; the journal is kept in that of the west. */
describe('the page of disaster recovery', () => {
  const folder = mkdtempSync(join(tmpdir(), 'disaster-page-'));
  const config = join(folder, 'eventcore.config.yaml');
  let west: Vault;
  const plan = samplePlan({ steps, journalVault: openVault(`file:${join(folder, 'west')}`).address });
  const ask = askHere(config);
  const bytes = encodePlan(plan, null);
  const json = async (...words: string[]): Promise<unknown> =>
    JSON.parse((await runHere(['dr', ...words, '--json', '--config', config])).stdout);

  before(async () => {
    const region = (name: string): string =>
      `    - { region: ${name}, servers: ["postgres://p@127.0.0.1:1/${name}"], fence: [{ command: [off] }], vault: ./${name} }\n`;
    writeFileSync(config, `disaster:\n  probe_timeout: 1s\n  regions:\n${region('east')}${region('west')}`);
    for (const name of ['east', 'west']) {
      const vault = openVault(`file:${join(folder, name)}`);
      await vault.open({ create: true });
      if (name === 'west') west = vault;
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('says what it would take where nothing is configured', async () => {
    const bare = join(folder, 'bare.yaml');
    writeFileSync(bare, 'store: sqlite:./events.db\nvault: ./west\n');
    const text = await page({ ask: askHere(bare) });
    assert.match(text, /The configuration says nothing of disaster recovery/);
    assert.match(text, /docs\/disaster-recovery\.md/);
    assert.match(text, /eventcore doctor --config/);
    assert.doesNotMatch(text, /<form/);
  });

  it('offers to look, and looks at nothing by itself', async () => {
    const asked: string[] = [];
    const text = await page({
      ask: (question) => {
        asked.push(question.words.join(' '));
        return ask(question);
      },
    });
    assert.match(text, /No plan of a recovery was made yet/);
    assert.match(text, /<form class="look" method="get"/);
    assert.deepEqual(asked, ['dr status']);
  });

  it('shows what every place sees, and that there is no way where there is none', async () => {
    const text = await page({ ask, query: { assess: 'database_failure' } });
    assert.match(text, /Nobody knows which server the primary is|The primary is dead/);
    assert.match(text, /<\/svg>unreachable<\/span> .*ECONNREFUSED/);
    assert.match(text, /Would be lost<\/dt><dd>not known/);
    assert.match(text, /There is no way: |What would be done/);
    assert.match(text, /docs\/runbooks\/database_failure\.md/);
    assert.doesNotMatch(text, /method="post"/);
  });

  it('asks again only when somebody presses the button again', async () => {
    const ages: number[] = [];
    const nowMs = Date.parse('2026-11-29T12:00:00Z');
    const spy = async (question: Question) => {
      if (question.words[1] === 'assess') ages.push(question.maxAgeMs);
      return { state: 'busy' } as const;
    };
    for (const since of [nowMs - 60_000, nowMs, nowMs + 9e9]) {
      await page({ ask: spy, nowMs, query: { assess: 'look', since: String(since) } });
    }
    assert.deepEqual(ages, [60_000, 5000, 5000]);
    await page({ ask: spy, nowMs, query: { assess: 'look', since: 'soon' } });
    assert.equal(ages.at(-1), 300_000);
  });

  it('passes no words to a command but those that it knows', async () => {
    const asked: (readonly string[])[] = [];
    const spy = async ({ words }: Question) => {
      asked.push(words);
      return { state: 'busy' } as const;
    };
    await page({ ask: spy, query: { assess: '--config', plan: '--vault=/etc' } });
    await page({ ask: spy, query: { assess: 'data_corruption', at: '2026-11-29T12:00:00Z' } });
    const refused = await page({ ask: spy, query: { assess: 'data_corruption', at: '--help' } });
    assert.deepEqual(asked, [
      ['dr', 'status'],
      ['dr', 'assess'],
      ['dr', 'status'],
      ['dr', 'assess', '--trigger', 'data_corruption', '--at', '2026-11-29T12:00:00Z'],
      ['dr', 'status'],
    ]);
    assert.match(refused, /it is no time such as/);
  });

  it('shows a plan with the commands that try it and carry it out, and no button that does', async () => {
    await putPlan(west, bytes);
    const text = await page({ ask });
    assert.match(text, /nothing of it was done/);
    assert.ok(text.includes(`eventcore dr execute --approve ${plan.planId} --dry-run --config`));
    assert.ok(text.includes(`eventcore dr execute --approve ${plan.planId} --accept-data-loss --config`));
    assert.match(text, /about 2262 events <code>--accept-data-loss<\/code>/);
    assert.match(text, /<code>restore<\/code>.*\n?.*left out/);
    assert.doesNotMatch(text, /method="post"/);
  });

  it('shows a run step by step, what failed, and how it goes on', async () => {
    let previous = digestRecord(bytes);
    for (const [i, entry] of STORY.entries()) {
      const encoded = encodeEntry(
        sampleEntry({ planId: plan.planId, number: i + 1, previous, step: null, ...entry }),
        null,
      );
      await putEntry(west, encoded);
      previous = digestRecord(encoded);
    }
    const text = await page({ ask });
    assert.match(text, /promote failed: it does not listen/);
    assert.match(
      text,
      /<code>fence<\/code><\/th><td class="">.*done<\/span><\/td><td class="numeric">3\.0 s/,
    );
    assert.match(text, /does fence<\/td><td class="">nobody but us can write/);
    assert.ok(text.includes(`eventcore dr resume ${plan.planId} --config`));
    assert.ok(text.includes(`${plan.planId}</code> (above)`));
    assert.match(text, /4 entries, .*unbroken<\/span>, not signed/);
  });

  it('has words for each state of primaries, probes, steps, ends and copies', async () => {
    const found = assessment.parse(await json('assess'));
    const run = recoveryRun.parse(await json('status'));
    const clean = async (document: unknown, query: Record<string, string> = {}): Promise<void> =>
      assert.doesNotMatch(await page({ ask: answerOf(document, run), query }), /undefined|\[object/);
    for (const state of PRIMARY_STATES) await clean({ ...found, primary: { ...found.primary, state } }, LOOK);
    for (const outcome of PROBE_OUTCOMES) {
      const observations = found.observations.map((one) => ({ ...one, outcome }));
      await clean({ ...found, observations }, LOOK);
    }
    for (const trigger of DISASTER_TRIGGERS) await clean(found, { assess: trigger });
    for (const state of STEP_STATES) {
      const states = { ...run, steps: run.steps.map((step) => ({ ...step, state })) };
      assert.doesNotMatch(await page({ ask: answerWith(states) }), /undefined|\[object/);
    }
    for (const state of OUTCOME_STATES) {
      const ended = { ...run, end: 'ended', outcome: { ...run.outcome, state } };
      assert.match(await page({ ask: answerWith(ended) }), /It ended: /);
    }
    for (const state of COPY_STATES) {
      const copies = [{ region: 'east', vault: 'file:/east', entries: 3, state }];
      const copied = { ...run, journal: { ...run.journal, copies } };
      assert.match(await page({ ask: answerWith(copied) }), /file:\/east/);
    }
  });

  it('lets no text of a document out of its place', async () => {
    const planned = {
      strategy: plan.strategy,
      reasons: plan.reasons,
      target: plan.target,
      risks: plan.risks,
    };
    const found = {
      ...((await json('assess')) as object),
      ...planned,
      steps: plan.steps,
      candidates: CANDIDATES,
    };
    const run = makeHostile(await json('status'), recoveryRun);
    const text = await page({
      ask: answerOf(makeHostile(found, assessment), run),
      query: { assess: 'region_outage' },
    });
    assert.ok(!text.includes(HOSTILE) && !text.includes('<script'), text);
    assert.ok(text.split('&lt;script&gt;alert').length > 40);
  });
});

const LOOK = { assess: 'look' };
const CANDIDATES = [
  { region: 'west', server: 'postgres://db-2/shop', behindBytes: null, refusals: ['it is paused'] },
];

function answerOf(found: unknown, run: unknown) {
  return ({ words, ...question }: Question) =>
    answerWith(words[1] === 'assess' ? found : words.includes('--all') ? { plans: [] } : run)({
      ...question,
      words,
    });
}
