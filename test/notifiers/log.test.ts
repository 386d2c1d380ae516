import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { type LogLevel, makeLog } from '../../src/cli/log.ts';
import { logNotifier } from '../../src/notifiers/log.ts';
import { notifierContract } from '../../src/testing/notifier-contract.ts';
import { alertOf } from '../harness/sample-alert.ts';

function logged(json: boolean, level: LogLevel = 'warn') {
  const lines: string[] = [];
  const stderr = new Writable({
    write: (part: Buffer, _encoding, done) => {
      lines.push(...part.toString('utf8').trimEnd().split('\n'));
      done();
    },
  });
  const log = makeLog({ level, json, stderr, env: {}, now: () => 0 });
  return { notifier: logNotifier('log', log), lines };
}

notifierContract({
  name: 'log',
  reachable: async () => {
    const { notifier, lines } = logged(true);
    const received = async () =>
      lines.map((line) => JSON.parse(line)).map(({ alert: id, state }) => ({ id, state }));
    return { notifier, received };
  },
  failing: {},
  withinMs: 100,
  secrets: [],
});

describe('the log', () => {
  it('shows people one line, whatever the title is, and hides what is critical at no level', async () => {
    const { notifier, lines } = logged(false, 'error');
    await notifier.notify(alertOf({ title: 'damage\nof\tsorts', facts: {} }));
    await notifier.notify(alertOf({ state: 'resolved' }));
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /^error: raised: damage\\u\{a\}of/);
  });
});
