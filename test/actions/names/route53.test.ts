/**
 * Against a stand-in (test/harness/route53-server.ts), since there is no Route 53 to be had: it speaks the real XML to the real client, and keeps
 * the rules of the documentation. What the real one does beyond that is not shown here.
 */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Route53Options, route53Name } from '../../../src/actions/names/route53.ts';
import type { PublicName } from '../../../src/core/disaster-ports.ts';
import { type BackupError, type ErrorCode, isBackupError } from '../../../src/core/errors.ts';
import { type Route53Record, type Route53Server, startRoute53 } from '../../harness/route53-server.ts';

const NAME = 'db.eventcore.test';
const RECORDS: readonly Route53Record[] = [
  { name: 'a.eventcore.test', type: 'A', ttl: 60, values: ['192.0.2.9'] },
  { name: NAME, type: 'CNAME', ttl: 60, values: ['East.example.com'] },
  { name: 'v4.eventcore.test', type: 'A', ttl: 60, values: ['192.0.2.1'] },
];
const call = (ms = 5000) => ({ signal: AbortSignal.timeout(ms) });
const CHANGE = { from: 'east.example.com', to: 'west.example.com' };

describe('a name of Route 53', () => {
  let server: Route53Server;
  const saved = { ...process.env };
  before(async () => {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' });
    server = await startRoute53([]);
  });
  after(async () => {
    process.env = saved;
    await server.close();
  });
  beforeEach(() => {
    Object.assign(server, { records: [...RECORDS], mood: 'well', pendingPolls: 1, beforeChange: null });
    server.log.length = 0;
  });

  const open = (options: Partial<Route53Options> = {}): PublicName =>
    route53Name({
      ...{ zoneId: server.zoneId, name: NAME, type: 'CNAME', ttl: 5, endpoint: server.endpoint, pollMs: 10 },
      ...options,
    });
  const valueNow = () => server.records.find(({ name }) => name === NAME)?.values;

  it('is read and switched in one batch, and done when the change is on all servers', async () => {
    server.pendingPolls = 3;
    const name = open();
    assert.equal(await name.read(call()), 'east.example.com');
    const facts = await name.switchTo(CHANGE, call());
    assert.deepEqual(valueNow(), ['west.example.com']);
    assert.equal(server.log.filter((line) => line.includes('/change/')).length, 4);
    assert.equal(facts.changeId, '/change/C1');
    assert.equal(server.records.length, RECORDS.length);
    const fresh = open({ name: 'new.eventcore.test', type: 'A' });
    assert.equal(await fresh.read(call()), null);
    await fresh.switchTo({ from: null, to: '192.0.2.7' }, call());
    assert.equal(await fresh.read(call()), '192.0.2.7');
  });

  it('is not switched from another value, nor twice', async () => {
    await refuses(open().switchTo({ ...CHANGE, from: 'north.example.com' }, call()), 'name_changed', /east/);
    await refuses(open().switchTo({ ...CHANGE, from: null }, call()), 'name_changed');
    await open().switchTo(CHANGE, call());
    const error = await refuses(open().switchTo(CHANGE, call()), 'name_changed');
    assert.equal(error.facts.found, 'west.example.com');
  });

  for (const refusal of ['error', 'document'] as const)
    it(`loses nobody’s change that comes between the look and the batch (refused ${refusal === 'error' ? 'as any error' : 'in a document'})`, async () => {
      server.refusal = refusal;
      const put = (values: string[], ttl: number) => () => {
        server.records = server.records.map((record) =>
          record.name === NAME ? { ...record, values, ttl } : record,
        );
        server.beforeChange = null;
      };
      server.beforeChange = put(['north.example.com'], 60);
      await refuses(open().switchTo(CHANGE, call()), 'name_changed', /north/);
      assert.deepEqual(valueNow(), ['north.example.com']);
      // Only the TTL is another: the same change holds.
      server.records = [...RECORDS];
      server.beforeChange = put(['East.example.com'], 30);
      await open().switchTo(CHANGE, call());
      assert.deepEqual(valueNow(), ['west.example.com']);
    });

  it('is switched by exactly one of two at once', async () => {
    const ends = await Promise.allSettled(
      ['west', 'north'].map((to) => open().switchTo({ ...CHANGE, to: `${to}.example.com` }, call())),
    );
    assert.deepEqual(ends.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  });

  it('asks what became of a change whose answer was lost', async () => {
    server.mood = 'lost_answer';
    const facts = await open().switchTo(CHANGE, call());
    assert.equal(facts.changeId, null);
    assert.deepEqual(valueNow(), ['west.example.com']);
    server.mood = 'broken_before';
    const back = { from: 'west.example.com', to: 'east.example.com' };
    const error = await refuses(open().switchTo(back, call()), 'name_refused');
    assert.match(error.hint!, /was not changed/);
    server.mood = 'silent';
    await refuses(open({ answerMs: 200 }).switchTo(back, call()), 'name_refused', /in time/);
    assert.deepEqual(valueNow(), ['west.example.com']);
  });

  it('asks again where it was told to wait, and not where it has no right', async () => {
    server.mood = 'throttled';
    await open().switchTo(CHANGE, call());
    server.mood = 'denied';
    const back = { from: 'west.example.com', to: 'east.example.com' };
    const error = await refuses(open().switchTo(back, call()), 'name_refused', /does not allow/);
    assert.match(error.hint!, /route53:ChangeResourceRecordSets/);
    await refuses(open({ zoneId: 'ZNONE' }).read(call()), 'name_refused', /no such hosted zone/);
  });

  it('is left alone where it has a routing policy, several values or another kind of address', async () => {
    const others: Route53Record[][] = [
      ['a', 'b'].map((id) => ({
        name: NAME,
        type: 'CNAME',
        ttl: 1,
        values: ['x.example.com'],
        setIdentifier: id,
      })),
      [{ name: NAME, type: 'A', ttl: 1, values: ['192.0.2.1'] }],
    ];
    for (const records of others) {
      server.records = records;
      await refuses(open().read(call()), 'name_refused');
    }
    server.records = [{ name: NAME, type: 'A', ttl: 1, values: ['192.0.2.1', '192.0.2.2'] }];
    await refuses(open({ type: 'A' }).read(call()), 'name_refused', /one value/);
  });

  it('waits no longer than it may for the change to be everywhere', async () => {
    server.pendingPolls = 1000;
    const startMs = performance.now();
    await refuses(open().switchTo(CHANGE, call(400)), ['name_refused', 'interrupted']);
    assert.ok(performance.now() - startMs < 2000);
  });

  it('says what to install where the client is not there', async () => {
    const load = () => Promise.reject(new Error('not found'));
    const error = await refuses(open({ load }).read(call()), 'usage');
    assert.match(error.hint!, /npm install @aws-sdk\/client-route-53/);
  });
});

async function refuses(
  work: Promise<unknown>,
  code: ErrorCode | ErrorCode[],
  words = /./,
): Promise<BackupError> {
  const error = await work.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(isBackupError(error, ...[code].flat()), String(error));
  assert.match(error.message, words);
  return error;
}
