import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Alert } from '../../src/core/alert.ts';
import { commandNotifier } from '../../src/notifiers/command.ts';
import { notifierContract } from '../../src/testing/notifier-contract.ts';
import { alertOf } from '../harness/sample-alert.ts';

const SECRET = 'c4n4ry-c0mm4nd';
const folder = mkdtempSync(join(tmpdir(), 'eventcore-notify-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const open = (argv: readonly string[], timeoutMs = 2000) =>
  commandNotifier({ name: 'command', argv, env: { PATH: process.env.PATH }, cwd: folder, timeoutMs });

const script = (body: string): readonly string[] => ['/bin/sh', '-c', body, SECRET];

notifierContract({
  name: 'command',
  reachable: async () => {
    const inbox = mkdtempSync(join(folder, 'inbox-'));
    return {
      notifier: open(script(`n=$(ls "${inbox}" | wc -l); cat > "${inbox}/$n.json"`)),
      received: async () =>
        readdirSync(inbox)
          .sort()
          .map((name) => JSON.parse(readFileSync(join(inbox, name), 'utf8')) as Alert),
    };
  },
  failing: {
    'there is no such program': async () => open([`/nowhere/${SECRET}`]),
    'it ends with an error': async () => open(script(`echo ${SECRET} >&2; exit 3`)),
    'it does not end': async () => open(script('sleep 60'), 200),
    'it is killed': async () => open(script('kill -9 $$')),
  },
  withinMs: 1500,
  secrets: [SECRET],
});

describe('a command', () => {
  it('gets the alert on stdin and in its environment, through no shell', async () => {
    const seen = join(folder, 'seen.json');
    const body = `process.stdin.resume().on('end', () => require('fs').writeFileSync(${JSON.stringify(seen)},
      JSON.stringify([process.argv.slice(1), Object.entries(process.env)])))`;
    const alert = alertOf({ title: '$(touch pwned) `x` "y"' });
    await open([process.execPath, '-e', body, '--', '$(touch pwned)', 'two words']).notify(alert);
    const [words, variables] = JSON.parse(readFileSync(seen, 'utf8')) as [string[], [string, string][]];
    assert.deepEqual(words, ['$(touch pwned)', 'two words']);
    const env = Object.fromEntries(variables);
    assert.equal(env.EVENTCORE_ALERT_TITLE, alert.title);
    assert.equal(env.EVENTCORE_ALERT_STATE, 'raised');
    assert.equal(env.EVENTCORE_ALERT_ID, alert.id);
    assert.ok(!readdirSync(folder).includes('pwned'));
  });

  it('need not read what it gets, and may write as much as it likes', async () => {
    await open(['/bin/true']).notify(alertOf({ text: 'x'.repeat(1 << 20) }));
    await open(script('head -c 10000000 /dev/zero')).notify(alertOf());
  });

  it('is ended with all that it started', async () => {
    const mark = join(folder, 'mark');
    writeFileSync(mark, '');
    await assert.rejects(
      open(script(`(sleep 0.6; echo late > "${mark}") & sleep 60`), 150).notify(alertOf()),
    );
    await sleep(700);
    assert.equal(readFileSync(mark, 'utf8'), '');
  });
});
