import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { drillList, LINK_STATES, SIGNATURE_STATES, shownDrill } from '../../src/console/documents/drills.ts';
import { drillRoutes } from '../../src/console/pages/drills.ts';
import type { Answer, Question } from '../../src/console/ports.ts';
import { CANARY, DRILL_TESTS } from '../../src/core/drill.ts';
import { type DrillWorld, flipBit, makeDrillWorld, REGIONS } from '../harness/drill-world.ts';
import {
  answerWith,
  askHere,
  jobsOf,
  pageOf,
  replyOf,
  statusOf,
  type VisitOptions,
  visitOf,
} from './asked-visit.ts';
import { HOSTILE, makeHostile } from './hostile-document.ts';

const list = (options: VisitOptions): Promise<string> =>
  pageOf(drillRoutes, '/stores/:store/drills', visitOf(options));
const one = (id: string, options: VisitOptions): Promise<string> =>
  pageOf(drillRoutes, '/stores/:store/drills/:id', visitOf({ ...options, params: { id } }));

describe('the pages of drills', () => {
  let world: DrillWorld;
  const json = async (...words: string[]): Promise<unknown> =>
    JSON.parse((await world.run([...words, '--json'])).stdout);
  before(async () => {
    world = await makeDrillWorld();
  });
  after(() => world.remove());

  it('say that nobody knows where no drill was made, and begin one for those who may', async () => {
    const asked = { ask: askHere(world.config), store: { jobs: jobsOf('drill'), status: statusOf() } };
    const text = await list(asked);
    assert.match(text, /nobody knows yet whether these backups come back/);
    assert.match(text, /action="\/stores\/shop\/jobs\/drill\/run"/);
    assert.doesNotMatch(await list({ ...asked, role: 'viewer' }), /<form/);
    assert.match(await list({ ...asked, store: {} }), /eventcore drill --config \/etc\/shop\.yaml/);
  });

  it('show what a drill restored, how quickly, and that its evidence is as it was written', async () => {
    world.configure(`${REGIONS}objectives: { rto: 1h, rpo: 1h, region_rpo: 1h }\n`);
    const { drillId } = await world.drill();
    const text = await list({ ask: askHere(world.config) });
    assert.match(text, new RegExp(`href="/stores/shop/drills/${drillId}"`));
    assert.match(text, /7 of 7 passed/);
    assert.match(text, /Recovery time \(RTO\)[^<]*: \d/);
    assert.match(text, /Recovery point \(RPO\)[^<]*: 0 ms/);
    assert.match(text, /<\/svg>kept<\/span>/);
    const shown = await one(drillId, { ask: askHere(world.config) });
    for (const name of [...DRILL_TESTS, CANARY]) assert.match(shown, new RegExp(`<code>${name}</code>`));
    assert.match(shown, /it is the first one of this vault/);
    assert.match(shown, /as it was written/);
    assert.match(shown, new RegExp(`eventcore drill show ${drillId} --config`));
    assert.match(shown, /<code>rto<\/code>: [^,]+, promised 1h/);
  });

  it('ask again only once the daemon knows of a newer drill', async () => {
    const { finishedAt, startedAt } = shownDrill.parse(await json('drill', 'show'));
    const asked: number[] = [];
    const ask = (question: Question): Promise<Answer> => {
      asked.push(question.maxAgeMs);
      return askHere(world.config)(question);
    };
    const drillAt = (at: string) =>
      statusOf({ drill: { at, passed: true, rtoSeconds: null, rpoSeconds: null, signed: false } });
    for (const at of [startedAt, finishedAt]) await list({ ask, store: { status: drillAt(at) } });
    assert.equal(asked.length, 2);
    await list({ ask, store: { status: drillAt(new Date(Date.now() + 60_000).toISOString()) } });
    assert.equal(asked.length, 4);
  });

  it('draw what is promised as a line, and what is over it as bad', async () => {
    const promises = { ...statusOf().promises, rtoMs: 1 };
    const text = await list({ ask: askHere(world.config), store: { status: statusOf({ promises }) } });
    assert.match(text, /class="promised"/);
    assert.match(text, /<circle class="bad"/);
  });

  it('say which test failed and why, and whose evidence cannot be believed', async () => {
    rmSync(join(world.path, 'near'), { recursive: true });
    const failed = await world.drill([
      '--only',
      'cross_region_restore',
      '--only',
      'negative_canary',
      '--full',
    ]);
    assert.deepEqual(failed.failed, ['cross_region_restore']);
    const text = await list({ ask: askHere(world.config) });
    assert.match(text, /<\/svg>cross_region_restore<\/span> <span class="muted">[^<]{10,}</);
    assert.match(
      await one(failed.drillId, { ask: askHere(world.config) }),
      /unbroken: what it follows is there/,
    );
    flipBit(world.file('vault', 'drills/*.json'), 300);
    const broken = await list({ ask: askHere(world.config) });
    assert.match(broken, /cannot be read/);
    assert.match(broken, /cannot be believed/);
    const problems = await one(failed.drillId, { ask: askHere(world.config) });
    assert.match(problems, /class="notice bad"/);
    assert.match(problems, /what it follows is not what it was/);
  });

  it('say plainly that there is no such drill', async () => {
    for (const id of ['../../etc', '00000000-0000-4000-8000-000000000000']) {
      const visit = visitOf({ ask: askHere(world.config), params: { id } });
      const reply = await replyOf(drillRoutes, '/stores/:store/drills/:id', visit);
      assert.ok(reply.kind === 'page' && reply.status === 404, id);
      assert.match(String(await reply.body), /There is no such drill/);
    }
  });

  it('have words for each state of signatures and of the chain', async () => {
    const document = shownDrill.parse(await json('drill', 'show'));
    for (const state of SIGNATURE_STATES) {
      const signature = { state, signer: state === 'unsigned' ? null : 'ed25519:x' };
      const text = await one(document.drillId, { ask: answerWith({ ...document, signature }) });
      assert.doesNotMatch(text, /undefined|\[object/);
    }
    for (const previousState of LINK_STATES) {
      const text = await one(document.drillId, { ask: answerWith({ ...document, previousState }) });
      assert.doesNotMatch(text, /undefined|\[object/);
    }
  });

  it('let no text of a document out of its place', async () => {
    const listed = makeHostile(await json('drill', 'list'), drillList);
    const shown = makeHostile(await json('drill', 'show'), shownDrill);
    const id = '00000000-0000-4000-8000-000000000000';
    for (const text of [await list({ ask: answerWith(listed) }), await one(id, { ask: answerWith(shown) })]) {
      assert.ok(!text.includes(HOSTILE) && !text.includes('<script'), text);
      assert.match(text, /&lt;script&gt;alert/);
    }
  });
});
