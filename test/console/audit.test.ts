import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { makeAudit } from '../../src/console/access/audit.ts';
import { ALICE, makeDoor, WITH_ACCESS } from '../harness/console-door.ts';

const folder = mkdtempSync(join(tmpdir(), 'eventcore-audit-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => {
  files += 1;
  return join(folder, `audit-${files}.jsonl`);
};
const linesOf = (file: string) =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>);

const act = { method: 'POST', headers: { authorization: `Bearer ${ALICE}` } };

describe('the audit log', () => {
  it('has each action before and after it was done, for its owner only', async () => {
    const auditLog = newFile();
    const door = await makeDoor({ config: { ...WITH_ACCESS, auditLog } });
    await door.ask('/sample/shop/backup', { ...act, peer: '192.0.2.1' });
    await door.ask('/sample/shop/backup', { method: 'POST', peer: '192.0.2.2' });
    await door.audit.settled();
    const words = linesOf(auditLog).map(({ who, from, action, subject, outcome }) =>
      [who, from, action, subject, outcome ?? ''].join(' | '),
    );
    assert.deepEqual(words, [
      'alice | 192.0.2.1 | asked | POST /sample/shop/backup | ',
      'alice | 192.0.2.1 | run_job | shop: full | done',
      'somebody | 192.0.2.2 | refused | POST /sample/shop/backup: nobody is logged in | refused',
    ]);
    assert.equal(statSync(auditLog).mode & 0o777, 0o600);
    assert.match(linesOf(auditLog)[0]!.at!, /^2026-11-29T12:/);
  });

  it('that cannot be written lets nothing be done, and says so', async () => {
    const auditLog = newFile();
    mkdirSync(auditLog);
    const door = await makeDoor({ config: { ...WITH_ACCESS, auditLog } });
    const refused = await door.ask('/sample/shop/backup', act);
    assert.equal(refused.status, 503);
    assert.match(await refused.text(), /cannot be written \(EISDIR\), so nothing was done/);
    assert.deepEqual([door.handled, door.acted], [[], []]);
    assert.match(door.errors.join(), /audit.*EISDIR/);
    assert.equal((await door.ask('/sample', { headers: act.headers })).status, 200);
    rmSync(auditLog, { recursive: true });
    assert.equal((await door.ask('/sample/shop/backup', act)).status, 303);
    assert.equal(door.acted.length, 1);
  });

  it('goes on where it was moved away, and after a line that was cut off', async () => {
    const auditLog = newFile();
    const door = await makeDoor({ config: { ...WITH_ACCESS, auditLog } });
    await door.ask('/sample/shop/backup', act);
    renameSync(auditLog, `${auditLog}.1`);
    await door.ask('/sample/shop/backup', act);
    assert.deepEqual([linesOf(auditLog).length, linesOf(`${auditLog}.1`).length], [2, 2]);
    appendFileSync(auditLog, '{"at":"2026-');
    await door.ask('/sample/shop/backup', act);
    const lines = readFileSync(auditLog, 'utf8').trimEnd().split('\n');
    assert.equal(lines.length, 5);
    assert.doesNotThrow(() => [3, 4].map((i) => JSON.parse(lines[i]!) as unknown));
  });

  it('remembers the newest, and of what somebody sent no more than a line', async () => {
    const audit = makeAudit({
      now: () => 0,
      log: () => undefined,
      logTrouble: () => undefined,
      file: () => null,
    });
    const entry = { who: 'x'.repeat(5000), from: '', action: 'refused', outcome: 'refused' } as const;
    for (let i = 0; i < 600; i += 1) audit.record({ ...entry, subject: `${i}` });
    assert.deepEqual([audit.entries().length, audit.entries()[0]!.subject], [500, '599']);
    assert.ok(audit.entries()[0]!.who.length <= 301);
    assert.equal(await audit.intend({ who: 'a', from: '', subject: '' }), null);
  });

  it('is not filled by who is refused again and again', async () => {
    const door = await makeDoor({ refusalsAtOnce: 5 });
    for (let i = 0; i < 50; i += 1) await door.ask('/sample/shop/backup', { method: 'POST' });
    assert.equal(door.audit.entries().length, 5);
    await door.ask('/sample/shop/backup', act);
    assert.equal(door.audit.entries()[0]!.action, 'run_job');
  });
});
