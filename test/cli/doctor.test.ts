import assert from 'node:assert/strict';
import { globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Check } from '../../src/doctor/check.ts';
import { makeFolder, runHere, withStoreAt } from '../harness/command.ts';

describe('eventcore doctor', () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let store: string;
  let vault: string;
  before(async () => {
    folder = await makeFolder();
    store = `sqlite:${join(folder.path, 'events.db')}`;
    vault = join(folder.path, 'vault');
    await withStoreAt(store, (opened) => opened.initialise());
    await append('a');
  });
  after(() => folder.remove());

  const append = (streamId: string) =>
    withStoreAt(store, (opened) => opened.append([{ streamId, events: [{ type: 'Noted', data: '{}' }] }]));
  const words = () => ['--store', store, '--vault', vault];

  async function doctor(...more: string[]) {
    const ran = await runHere(['doctor', '--json', ...(more.length === 0 ? words() : more)]);
    const { healthy, checks } = JSON.parse(ran.stdout) as { healthy: boolean; checks: Check[] };
    assert.equal(healthy, ran.code === 0);
    const ofRegions = checks.filter(({ name }) => name.includes(': '));
    assert.equal(checks.length - ofRegions.length, 27, 'every check says something');
    for (const { verdict, message, code } of checks) {
      assert.ok(message.length > 0);
      assert.equal(code !== null, verdict === 'bad');
    }
    return { code: ran.code, found: Object.fromEntries(checks.map((check) => [check.name, check])) };
  }

  it('says what is missing before there is a vault, and before there is a backup', async () => {
    const without = await doctor();
    assert.deepEqual([without.code, without.found.vault!.code], [6, 'vault_unreachable']);
    assert.equal(without.found['newest backup']!.verdict, 'skipped');
    await runHere(['init', ...words(), '--config', join(folder.path, 'made.yaml')]);
    const empty = await doctor();
    assert.deepEqual([empty.code, empty.found['newest backup']!.code], [3, 'no_backups']);
    assert.match(empty.found['newest backup']!.hint!, /eventcore backup full/);
  });

  it('finds all well behind an archiver, changes nothing, and leaves nothing in the vault', async () => {
    const archive = () => runHere(['archive', '--once', ...words()], { env: process.env });
    assert.equal((await archive()).code, 0);
    assert.match((await doctor()).found['change log']!.message, /nothing since it began/);
    await append('b');
    assert.match((await doctor()).found.capture!.message, /the log is 1 event and .* behind/);
    assert.equal((await archive()).code, 0);
    const before = readdirSync(vault, { recursive: true });
    const { code, found } = await doctor();
    assert.equal(code, 0);
    const verdicts = Object.values(found).filter(
      ({ verdict }) => verdict !== 'good' && verdict !== 'skipped',
    );
    assert.deepEqual(verdicts, []);
    assert.match(found['change log']!.message, /^holds all until .*, without a gap$/);
    assert.match(found.capture!.message, /the log has everything/);
    assert.deepEqual(readdirSync(vault, { recursive: true }), before);
  });

  it('prints a table for people, and with --quiet only what failed', async () => {
    const ran = await runHere(['doctor', ...words()]);
    assert.match(ran.stdout, /^All is well\n/);
    const lines = ran.stdout.split('\n').filter((line) => /^ {2}(good|skipped) /.test(line));
    assert.equal(lines.length, 27);
    const column = lines[0]!.indexOf('no eventcore.config.yaml');
    assert.ok(column > 10);
    for (const line of lines) assert.match(line.slice(column - 2, column + 1), /^ {2}\S$/, line);
    assert.deepEqual((await runHere(['doctor', '--quiet', ...words()])).stdout, '');
    const quiet = await runHere([
      'doctor',
      '--quiet',
      '--store',
      store,
      '--vault',
      join(folder.path, 'nowhere'),
    ]);
    assert.deepEqual([quiet.code, quiet.stdout], [6, '1 check of 27 failed\n']);
  });

  it('looks at all the rest when one thing is wrong', async () => {
    const away = await doctor('--store', `sqlite:${join(folder.path, 'no.db')}`, '--vault', vault);
    assert.deepEqual([away.code, away.found.store!.code], [5, 'not_an_event_store']);
    assert.equal(away.found['newest backup']!.verdict, 'good');
    assert.match(away.found.capture!.message, /the store could not be looked at/);
    const unnamed = await doctor('--store', store);
    assert.deepEqual([unnamed.code, unnamed.found.configuration!.verdict], [0, 'warn']);
    assert.match(unnamed.found.vault!.message, /no vault is named/);
    const config = join(folder.path, 'wrong.yaml');
    writeFileSync(config, 'stroe: sqlite:x\n');
    const wrong = await doctor('--config', config, ...words());
    assert.deepEqual([wrong.code, wrong.found.configuration!.code], [2, 'config_invalid']);
    assert.match(wrong.found.store!.message, /the configuration cannot be read/);
  });

  it('says what in a policy is worth a look, and that nothing is', async () => {
    const config = join(folder.path, 'policy.yaml');
    const primary = `primary: { region: eu, storage: ${JSON.stringify(vault)}, schedule: "0 3 * * *" }\n`;
    writeFileSync(config, primary);
    const sound = await doctor('--config', config, '--store', store);
    assert.match(sound.found.policy!.message, /^nothing contradicts itself in eu$/);
    assert.deepEqual([sound.code, sound.found.policy!.verdict], [0, 'good']);
    writeFileSync(config, `${primary}objectives: { rpo: 15m }\n`);
    const { code, found } = await doctor('--config', config, '--store', store);
    assert.deepEqual([code, found.policy!.verdict], [0, 'warn']);
    assert.match(found.policy!.message, /rpo is 15min, but up to 1d pass/);
  });

  it('leaves out what the policy promises where somebody else judges it, and nothing else', async () => {
    const config = join(folder.path, 'promises.yaml');
    writeFileSync(
      config,
      `primary: { region: eu, storage: ${JSON.stringify(vault)} }
replicas: [{ region: us, storage: ./promised }]
objectives: { rpo: 1s, region_rpo: 1s, verified_within: 1d, drilled_within: 1d }
`,
    );
    mkdirSync(join(folder.path, 'promised'));
    const words = ['--config', config, '--store', store];
    const bads = ({ found }: Awaited<ReturnType<typeof doctor>>) =>
      Object.values(found).flatMap(({ name, verdict }) => (verdict === 'bad' ? [name] : []));
    const judged = await doctor(...words);
    assert.deepEqual(bads(judged), ['recoverable point', 'drills', 'us: recoverable point']);
    const { code, found } = await doctor(...words, '--no-promises');
    assert.equal(code, 0);
    assert.deepEqual(found.verification!.verdict, 'skipped');
    assert.deepEqual(found['recoverable point']!.verdict, 'good');
    const away = [
      '--config',
      config,
      '--store',
      store,
      '--vault',
      join(folder.path, 'none'),
      '--no-promises',
    ];
    assert.equal((await runHere(['doctor', ...away])).code, 6);
  });

  it('looks at the vault of each region of a policy, or of those named', async () => {
    const config = join(folder.path, 'regions.yaml');
    mkdirSync(join(folder.path, 'us'));
    writeFileSync(
      config,
      `primary: { region: eu, storage: ${JSON.stringify(vault)} }
replicas: [{ region: us, storage: ./us }, { region: ap, storage: ./ap }]
archive: { storage: ./old, after_days: 30 }
`,
    );
    const all = await doctor('--config', config, '--store', store);
    assert.deepEqual([all.code, all.found['ap: vault']!.code], [6, 'vault_unreachable']);
    const ofRegion = (region: string) =>
      Object.values(all.found).filter(({ name }) => name.startsWith(`${region}: `));
    assert.deepEqual(
      ['eu', 'us', 'ap', 'archive'].map((region) => ofRegion(region).length),
      [0, 7, 7, 7],
    );
    assert.deepEqual(new Set(ofRegion('us').map(({ verdict }) => verdict)), new Set(['good']));
    assert.deepEqual(readdirSync(join(folder.path, 'us')), []);
    const one = await doctor('--config', config, '--store', store, '--region', 'us', '--large');
    assert.deepEqual([one.code, 'ap: vault' in one.found, 'us: vault' in one.found], [0, false, true]);
    const none = await runHere(['doctor', '--config', config, '--store', store, '--region', 'xx']);
    assert.deepEqual([none.code, none.stdout], [2, '']);
    assert.match(none.stderr, /no region "xx"\n.*it has eu, us, ap, archive/);
    const bare = await runHere(['doctor', ...words(), '--region', 'us']);
    assert.match(bare.stderr, /--region needs a configuration with a policy/);
  });

  it('names an index that a store lacks and what makes it', async () => {
    const place = `sqlite:${join(folder.path, 'bare.db')}`;
    await withStoreAt(place, (opened) => opened.initialise());
    const { DatabaseSync } = await import('node:sqlite');
    const db = new DatabaseSync(join(folder.path, 'bare.db'));
    db.exec('DROP INDEX idx_eventcore_events_stream_version');
    db.close();
    const { found } = await doctor('--store', place);
    assert.equal(found['store contract']!.verdict, 'warn');
    assert.match(
      found['store contract']!.hint!,
      /^CREATE UNIQUE INDEX idx_eventcore_events_stream_version ON/,
    );
  });

  it('says that a vault cannot be written, and still what it holds', async () => {
    const inTheWay = join(vault, 'doctor');
    writeFileSync(inTheWay, '');
    const { code, found } = await doctor();
    rmSync(inTheWay);
    assert.deepEqual([code, found.vault!.code], [6, 'vault_refused']);
    assert.equal(found['newest backup']!.verdict, 'good');
    assert.equal(found['vault room']!.verdict, 'skipped');
  });

  it('exits as for damage when a manifest is damaged or its chain is broken', async () => {
    await append('c');
    assert.equal((await runHere(['backup', 'incremental', ...words()], { env: process.env })).code, 0);
    const [manifest] = globSync('backups/full-*/manifest.json', { cwd: vault });
    const path = join(vault, manifest!);
    const sound = readFileSync(path);
    rmSync(path);
    writeFileSync(path, '{');
    const { code, found } = await doctor();
    assert.deepEqual([code, found.manifests!.code, found['newest backup']!.code], [4, 'damaged', 'damaged']);
    writeFileSync(path, sound);
    assert.equal((await doctor()).code, 0);
  });
});
