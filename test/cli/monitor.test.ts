import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { SMTPServer } from 'smtp-server';
import type { Alert } from '../../src/core/alert.ts';
import { digestAt, fillStore, makeFolder, type Ran, runHere, withStoreAt } from '../harness/command.ts';

describe('eventcore monitor', () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let sound: string;
  const at = (name: string): string => join(folder.path, name);
  const monitor = (...words: string[]): Promise<Ran> =>
    runHere(['monitor', ...words, '--config', at('c.yaml')], { env: { PATH: process.env.PATH } });
  const look = async (...words: string[]) => {
    const ran = await monitor('--once', '--json', ...words);
    return { code: ran.code, document: JSON.parse(ran.stdout), stderr: ran.stderr };
  };

  function alerts(): Alert[] {
    try {
      const lines = readFileSync(at('alerts'), 'utf8').trim().split('\n');
      return lines.map((line) => JSON.parse(line) as Alert);
    } catch {
      return [];
    }
  }

  function execute(sql: string): void {
    const database = new DatabaseSync(at('events.db'));
    database.exec(sql);
    database.close();
  }

  before(async () => {
    folder = await makeFolder();
    sound = await fillStore(`sqlite:${at('events.db')}`, 3000);
    writeFileSync(
      at('c.yaml'),
      `store: sqlite:./events.db\nvault: ./vault\nnotify: [{ command: [sh, -c, 'cat >> "${at('alerts')}"'] }]\n`,
    );
  });
  after(() => folder.remove());

  it('ends with 6 where there is no vault', async () => {
    assert.equal((await monitor('--once')).code, 6);
  });

  it('finds a sound store sound, and says what it looked at', async () => {
    assert.equal((await runHere(['backup', 'full', '--config', at('c.yaml')])).code, 0);
    const sampled = await monitor('--once', '--sample', '20%');
    assert.equal(sampled.code, 0, sampled.stdout);
    assert.match(
      sampled.stdout,
      /^Nothing is wrong where the monitor looked\n {2}looked at {2}20 % of the store: /,
    );
    assert.match(sampled.stdout, /compared {3}[\d,]+ events with backup [0-9a-f-]{36}/);
    const { code, document } = await look('--all');
    assert.deepEqual([code, document.outcome, document.looked.compared], [0, 'sound', 3000]);
    assert.deepEqual([document.findings, alerts()], [[], []]);
  });

  it('finds an event that was changed behind its back, tells it once, and tells that it is put back', async () => {
    execute(`CREATE TABLE aside AS SELECT event_id AS id, event_data AS data FROM eventcore_events WHERE rowid = 1234;
      UPDATE eventcore_events SET event_data = '{"forged":"c4n4ry"}' WHERE rowid = 1234`);
    const found = await look('--all');
    assert.deepEqual([found.code, found.document.outcome], [4, 'damaged']);
    const [finding] = found.document.findings;
    assert.deepEqual(
      [finding.check, finding.severity, finding.repair],
      ['event_changed', 'damage', 'put_back_events'],
    );
    const again = await monitor('--once', '--sample', '1%');
    assert.equal(again.code, 4, 'what was found is looked at again, however small the sample is');
    assert.match(
      again.stdout,
      /There is damage in the store[\s\S]*event_changed: 1 finding\n {2}event \S+ \(version \d+ of stream /,
    );
    assert.match(again.stdout, /--once --repair` shows what can be repaired/);
    const { open } = JSON.parse((await monitor('--history', '--json')).stdout).now;
    assert.deepEqual(
      open.map(({ severity, findings }: { severity: string; findings: number }) => [severity, findings]),
      [['critical', 1]],
    );
    assert.match(
      (await monitor('--history')).stdout,
      /OPEN +WHERE +FINDINGS +SINCE\n +event_changed +block \d+ +1 /,
    );
    execute(
      `UPDATE eventcore_events SET event_data = (SELECT data FROM aside) WHERE rowid = 1234; DROP TABLE aside`,
    );
    assert.equal((await look('--sample', '1%')).code, 0);
    assert.deepEqual(
      alerts().map(({ state, severity }) => [state, severity]),
      [
        ['raised', 'critical'],
        ['resolved', 'critical'],
      ],
    );
    assert.ok(!JSON.stringify(alerts()).includes('c4n4ry'));
  });

  it('shows what it would repair, repairs it when told to, and looks again', async () => {
    const before = alerts().length;
    execute(`UPDATE eventcore_events SET event_data = '{"forged":2}' WHERE rowid = 777;
      DELETE FROM eventcore_events WHERE rowid = 1500; DROP INDEX idx_eventcore_events_stream_version`);
    const digest = await digestAt(`sqlite:${at('events.db')}`);
    const planned = await monitor('--once', '--all', '--repair');
    assert.equal(planned.code, 4);
    assert.match(planned.stdout, /put_back_events: 1 event of 1 stream/);
    assert.match(planned.stdout, /reinstate_events: 1 event of 1 stream/);
    assert.match(planned.stdout, /rebuild_index/);
    assert.match(planned.stdout, /--once --repair --apply` does it/);
    assert.equal(await digestAt(`sqlite:${at('events.db')}`), digest, 'a plan changes nothing');
    const { code, document } = await look('--sample', '1%', '--repair', '--apply');
    assert.deepEqual(
      [code, document.outcome, document.after.outcome],
      [0, 'damaged', 'sound'],
      JSON.stringify(document),
    );
    assert.equal((await look('--all')).code, 0);
    assert.equal(await digestAt(`sqlite:${at('events.db')}`), sound);
    const told = alerts().slice(before);
    assert.ok(told.length >= 6);
    assert.equal(told.filter(({ state }) => state === 'raised').length * 2, told.length);
  });

  it('is told plainly what cannot be asked for', async () => {
    for (const words of [['--repair'], ['--once', '--apply'], ['--once', '--sample', '0%']]) {
      assert.equal((await monitor(...words)).code, 2, words.join(' '));
    }
  });

  it('shows the trend of the last runs', async () => {
    const table = (await monitor('--history', '--last', '3')).stdout.trimEnd().split('\n');
    assert.match(table[0]!, /WHEN +OUTCOME +EVENTS +COMPARED +OPEN +TOOK +FOUND/);
    assert.match(table[1]!, /damaged.*comparison \d/);
    assert.match(table[3]!, /sound/);
    assert.match(table[5]!, /^ {2}blocks +round \d+, \d+ % of it; all were looked at last 20/);
    const { runs } = JSON.parse((await monitor('--history', '--json')).stdout);
    assert.equal(runs.length, 9);
  });

  it('shows how far the sweep is, and what was repaired', async () => {
    const { now, repairs, warnings } = JSON.parse((await monitor('--history', '--json')).stdout);
    assert.deepEqual([now.outcome, now.open, now.blind, warnings], ['sound', [], [], []]);
    for (const { round, covered, finishedAt } of [now.sweep.blocks, now.sweep.buckets]) {
      assert.ok(round > 1 && covered >= 0 && covered < 1, `round ${round}, ${covered}`);
      assert.ok(Date.parse(finishedAt) > 0);
    }
    const [{ state, backupId, endedAt, steps }, ...others] = repairs;
    assert.deepEqual([state, others], ['done', []]);
    assert.match(backupId, /^[0-9a-f-]{36}$/);
    assert.ok(Date.parse(endedAt) > 0);
    assert.deepEqual(
      steps.map(({ kind, outcome }: { kind: string; outcome: string }) => `${kind} ${outcome}`).sort(),
      ['put_back_events repaired', 'rebuild_index repaired', 'reinstate_events repaired'],
    );
    assert.match(
      (await monitor('--history')).stdout,
      /REPAIR +ID +STATE +STEPS\n.* done +put_back_events \(1\) repaired/,
    );
  });

  it('goes on, and ends with 5, when the store is away', async () => {
    const words = ['--store', `sqlite:${at('nowhere.db')}`];
    const { code, document } = await look(...words);
    assert.deepEqual([code, document.outcome], [5, 'blind']);
    await look(...words);
    assert.equal((await look()).code, 0);
    assert.deepEqual(
      alerts()
        .slice(-2)
        .map(({ key, state }) => `${key} ${state}`),
      ['monitor_blind@store raised', 'monitor_blind@store resolved'],
    );
  });

  it('holds nothing against a backup that is not to be trusted', async () => {
    const config = at('trust.yaml');
    writeFileSync(
      config,
      'store: sqlite:./events.db\nvault: ./vault\nencryption: { require_signature: true }\n',
    );
    const ran = await runHere(['monitor', '--once', '--json', '--config', config]);
    const { skipped, blind, looked } = JSON.parse(ran.stdout);
    assert.match(skipped.join(), /comparison with the newest backup: backup \S+ is not to be trusted/);
    assert.deepEqual([blind[0].cause, looked.comparedWith], ['comparison', null]);
  });

  it('tries each notifier, and says which of them fails', async () => {
    const config = at('two.yaml');
    writeFileSync(config, 'notify: [log, { command: [/bin/false] }]\n');
    const ran = await runHere(['monitor', '--test-alert', '--config', config]);
    assert.equal(ran.code, 10);
    assert.match(ran.stdout, /^delivered {2}log, .*\nfailed {5}command .* ended with 1\n$/);
    assert.match(ran.stderr, /a test: nothing is wrong/);
    const all = at('all.yaml');
    const late = '{ command: [/bin/true], severity: critical, after: 30m }';
    writeFileSync(all, `store: sqlite:./events.db\nvault: ./vault\nnotify: [log, ${late}]\n`);
    const served = await runHere(['serve', all, at('c.yaml'), '--test-alert']);
    assert.equal(served.code, 0, served.stderr);
    assert.match(
      served.stdout,
      /^delivered {2}all: log, .*\n.* all: command, .* \(is told only what is critical, only what is open for 30min\)\n.* c: command, /,
    );
    const none = await runHere([
      'monitor',
      '--test-alert',
      '--store',
      'sqlite:./x',
      '--config',
      at('none.yaml'),
    ]);
    assert.equal(none.code, 2);
  });

  it('reads secrets from where they are, and shows none', async () => {
    const config = at('secret.yaml');
    writeFileSync(at('hook'), 'whsec_c4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ry\n', { mode: 0o600 });
    writeFileSync(config, 'notify: [{ webhook: { url: "env:HOOK", secret: "file:./hook" } }]\n');
    const words = ['monitor', '--test-alert', '--config', config];
    const server = createServer((_request, response) => response.writeHead(403).end('c4n4ry')).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const ran = await runHere(words, { env: { HOOK: `http://127.0.0.1:${port}/c4n4ry` } });
    server.close();
    assert.equal(ran.code, 10);
    assert.match(ran.stdout, /failed {5}webhook \(http:\/\/127\.0\.0\.1:\d+\): answered 403/);
    assert.ok(!`${ran.stdout}${ran.stderr}`.includes('c4n4ry'));
    const healthy = await runHere(['doctor', '--json', '--config', config], {
      env: { HOOK: 'https://x.example' },
    });
    const check = JSON.parse(healthy.stdout).checks.find(
      ({ name }: { name: string }) => name === 'notifiers',
    );
    assert.deepEqual([check.verdict, /^webhook; /.test(check.message)], ['good', true]);
    const missing = await runHere(words);
    assert.deepEqual([missing.code, /HOOK is not set/.test(missing.stderr)], [8, true]);
  });

  it('sends mail with a password from where it is', async () => {
    const config = at('mail.yaml');
    const mails: string[] = [];
    const office = new SMTPServer({
      ...{ allowInsecureAuth: true, disabledCommands: ['STARTTLS'], closeTimeout: 100 },
      onAuth: ({ username, password }, _session, done) =>
        done(username === 'me@x.example' && password === 'c4n4ry' ? null : new Error('no'), { user: 'me' }),
      onData: (stream, _session, done) => {
        stream.on('data', (part: Buffer) => mails.push(part.toString('utf8'))).on('end', () => done());
      },
    });
    office.listen(0, '127.0.0.1');
    await once(office.server, 'listening');
    const { port } = office.server.address() as AddressInfo;
    const mail = `server: "smtp://me%40x.example@127.0.0.1:${port}", password: "command:echo c4n4ry", from: a@x.example, to: [b@x.example]`;
    writeFileSync(config, `notify: [{ mail: { ${mail} } }]\n`);
    const ran = await runHere(['monitor', '--test-alert', '--config', config], {
      env: { PATH: process.env.PATH },
    });
    await new Promise<void>((resolve) => office.close(resolve));
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    assert.match(mails.join(''), /Subject: \[warning\] a test: nothing is wrong/);
    assert.ok(!`${ran.stdout}${ran.stderr}${mails}`.includes('c4n4ry'));
  });

  it('leaves no name and no payload in a sealed vault, with public keys alone', async () => {
    const recipient = await identityToRecipient(await generateX25519Identity());
    const store = `sqlite:${at('sealed.db')}`;
    const config = at('sealed.yaml');
    writeFileSync(
      config,
      `store: sqlite:./sealed.db\nvault: ./sealed\nencryption: { recipients: [${recipient}] }\nnotify: [{ command: [/bin/false] }]\n`,
    );
    await withStoreAt(store, async (opened) => {
      await opened.initialise();
      const events = [
        { type: 'CanaryHappened', data: '{"canary":1}' },
        { type: 'CanaryHappened', data: '{}' },
      ];
      await opened.append([{ streamId: 'canary-stream', events }]);
    });
    assert.equal((await runHere(['backup', 'full', '--config', config])).code, 0);
    const database = new DatabaseSync(at('sealed.db'));
    database.exec(
      "UPDATE eventcore_events SET event_data = '{canary' WHERE stream_version = (SELECT max(stream_version) FROM eventcore_events)",
    );
    database.close();
    const ran = await runHere(['monitor', '--once', '--all', '--config', config]);
    assert.equal(ran.code, 4, ran.stdout + ran.stderr);
    assert.match(ran.stdout, /canary-stream/, 'the host itself is told');
    assert.match(ran.stdout, /comparison with the newest backup: backup \S+ is sealed, and no key opens it/);
    assert.doesNotMatch(ran.stdout, /monitor_blind/, 'a host that opens nothing is not blind');
    const planned = await runHere(['monitor', '--once', '--all', '--repair', '--config', config]);
    assert.equal(planned.code, 4, planned.stderr);
    assert.match(planned.stdout, /Nothing to repair/);
    let reports = 0;
    for (const entry of readdirSync(at('sealed'), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const text = readFileSync(join(entry.parentPath, entry.name), 'latin1');
      assert.ok(!/canary/i.test(`${entry.name}${text}`), entry.name);
      if (entry.parentPath.endsWith('monitor')) reports += 1;
    }
    assert.ok(reports >= 1);
  });
});
