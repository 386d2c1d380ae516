import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { type LogOptions, makeLog, serviceLogOf } from '../../src/cli/log.ts';
import { passOn } from '../../src/cli/serve/log.ts';
import { makeServiceLog } from '../../src/cli/serve/service-log.ts';

const NOW = Date.parse('2026-11-29T12:00:00.000Z');

function logging(options: Partial<LogOptions> = {}) {
  const parts: string[] = [];
  const stderr = new Writable({
    write: (part, _encoding, done) => {
      parts.push(String(part));
      done();
    },
  });
  const all: LogOptions = { level: 'info', json: true, stderr, env: {}, now: () => NOW, ...options };
  const lines = (): Record<string, unknown>[] =>
    parts
      .join('')
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  return { all, parts, lines };
}

describe('the log of the daemon', () => {
  it('is lines of JSON with the keys of those that other commands write', () => {
    const [service, other] = [logging(), logging()];
    makeServiceLog(service.all).warn('it waits', { seconds: 3, isLast: false, code: null });
    makeLog(other.all).warn('it waits', { seconds: 3, isLast: false, code: null });
    assert.deepEqual(service.lines(), other.lines());
  });

  it('says by keys what a line is about; for people, in front', () => {
    const { all, lines } = logging();
    makeServiceLog(all).about({ store: 'shop', job: 'full' }).info('ended', { ms: 5, job: 'another' });
    const [line] = lines();
    assert.deepEqual(
      [line!.store, line!.job, line!.job_, line!.message, line!.level],
      ['shop', 'full', 'another', 'ended', 'info'],
    );
    const people = logging({ json: false });
    serviceLogOf(makeLog(people.all)).about({ store: 'shop', job: 'full' }).error('failed', { ms: 5 });
    assert.match(people.parts.join(''), /error: shop: full: failed \(ms=5\)/);
  });

  it('keeps to its level, but for what is told anyway', () => {
    const { all, lines } = logging({ level: 'error' });
    const log = makeServiceLog(all);
    log.warn('a');
    log.about({ store: 'shop' }).debug('b');
    log.error('c');
    log.tell('d');
    log.about({ store: 'shop' }).tell('e');
    assert.deepEqual(
      lines().map(({ message }) => message),
      ['c', 'd', 'e'],
    );
    const quiet = logging({ quiet: true });
    makeServiceLog(quiet.all).tell('f');
    assert.deepEqual(quiet.lines(), []);
  });

  it('shows no password of an address, wherever it stands', () => {
    const { all, parts } = logging();
    const secret = 'postgres://me:s3cr\\et@db/x?sslpassword=s3cret';
    makeServiceLog(all).error(`cannot reach ${secret}`, { address: secret });
    assert.ok(!/s3cr/.test(parts.join('')), parts.join(''));
  });

  it('hands on what a command logged as lines of its own, at their level', () => {
    const { all, lines } = logging();
    const log = makeServiceLog(all).about({ store: 'shop', job: 'sync' });
    passOn(
      log,
      '{"time":"2026-11-29T11:00:00.000Z","level":"warn","message":"a copy is late","region":"eu","n":2}',
    );
    passOn(log, '{"time":"2026-11-29T11:00:00.000Z","level":"debug","message":"no"}');
    for (const odd of [
      '{"error":{"code":"internal"}}',
      'Error: boom',
      '[1]',
      'null',
      '{"level":"tell","message":"x"}',
    ])
      passOn(log, odd);
    assert.deepEqual(lines(), [
      {
        ...{ level: 'warn', time: '2026-11-29T12:00:00.000Z', store: 'shop', job: 'sync' },
        ...{ region: 'eu', n: 2, message: 'a copy is late' },
      },
    ]);
  });
});
