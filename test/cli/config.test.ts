import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CONFIG_NAME, loadSettings, requireAddress } from '../../src/cli/config/config.ts';
import { parseConfig } from '../../src/cli/config/file.ts';
import { configTemplate } from '../../src/cli/config/template.ts';
import { notifierRules } from '../../src/cli/notifiers.ts';
import { isBackupError } from '../../src/core/errors.ts';

const PATH = '/etc/app/eventcore.config.yaml';

describe('a configuration file', () => {
  it('may be empty, or have sections whose content is commented out', () => {
    assert.deepEqual(parseConfig('', PATH), {});
    assert.deepEqual(parseConfig('store:\nbackup:\n  # level: 3\n', PATH), { store: null, backup: null });
  });

  it('as init writes it is read back, whatever the addresses are', () => {
    for (const store of [
      'sqlite:./events.db',
      'postgres://u@h/d?schema=a#b',
      'sqlite:./it\'s: a "name".db',
    ]) {
      assert.deepEqual(parseConfig(configTemplate(store, './b # c'), PATH), {
        store,
        vault: './b # c',
        backup: null,
        change_log: null,
        encryption: null,
        monitor: null,
      });
    }
  });

  it('says how the change log is captured', () => {
    const text = 'change_log: { flush_ms: 500, on_outage: spool, outage_limit: 20 GB, spool: ./aside }';
    assert.deepEqual(parseConfig(text, PATH).change_log, {
      ...{ flush_ms: 500, on_outage: 'spool', outage_limit: '20 GB', spool: './aside' },
    });
  });

  const refused: [string, string, RegExp, RegExp][] = [
    [
      'a limit that is no size',
      'change_log: { outage_limit: much }',
      /`change_log.outage_limit` is not valid: expected a size/,
      /correct it/,
    ],
    [
      'an unknown key',
      'stroe: x',
      /unknown key `stroe`/,
      /allowed at the top: store, standby, vault, backup/,
    ],
    [
      'an unknown key in a section',
      'backup:\n  compresion: zstd',
      /unknown key `backup\.compresion`/,
      /allowed in `backup`: format, compression, level, on_difference, target, parallel/,
    ],
    [
      'an unknown key where it is said who can read',
      'encryption: {recipient: age1x}',
      /unknown key `encryption\.recipient`/,
      /allowed in `encryption`: recipients, passphrase, identities, sign_key, trusted_signers, require_signature/,
    ],
    [
      'a signer that is none',
      'encryption: {trusted_signers: [ed25519:abc]}',
      /`encryption\.trusted_signers\.0` is not valid: expected the name of a signer/,
      /correct it/,
    ],
    [
      'a word that is none of the allowed ones',
      'backup: {format: xml}',
      /one of columns, jsonl, msgpack/,
      /./,
    ],
    ['a number that is out of range', 'backup: {parallel: 65}', /`backup\.parallel` is not valid/, /./],
    ['a text where a number belongs', 'backup: {level: "3"}', /`backup\.level`.*expected number/, /./],
    [
      'an unknown key where it is said how the store is watched',
      'monitor: {interval: 1h}',
      /unknown key `monitor\.interval`/,
      /allowed in `monitor`: check_interval, sample_percentage, alert_on_corruption/,
    ],
    [
      'an unknown key of a notifier',
      'notify: [{log: {}}, {webhook: {url: "https://x.example", token: s}}]',
      /unknown key `notify\.1\.webhook\.token`/,
      /allowed in `notify\.1\.webhook`: url, secret/,
    ],
    [
      'a notifier of an unknown kind',
      'notify: [{pigeon: {}}]',
      /unknown key `notify\.0\.pigeon`/,
      /log, webhook, slack, mail, command, severity, after/,
    ],
    ['an entry of warnings alone', 'notify: [{log: {}, severity: warning}]', /must be one of critical/, /./],
    ['an entry that tells nobody', 'notify: [{after: 1h}]', /expected one of log, webhook, slack/, /./],
    ['two notifiers in one entry', 'notify: [{log: {}, command: [a]}]', /expected one of log, webhook/, /./],
    [
      'a percentage that is none',
      'monitor: {sample_percentage: most}',
      /expected a percentage up to 100/,
      /./,
    ],
    ['a sample of nothing', 'monitor: {sample_percentage: 0%}', /expected more than 0%/, /./],
    ['a span that is none', 'monitor: {check_interval: soon}', /expected a span of time, as 1h/, /./],
    ['a repair that there is not', 'monitor: {repair_kinds: [magic]}', /one of reinstate_events, /, /./],
    [
      'an unknown key of a layout',
      layout('columns: {stream: s, version: v, type: t, data: d, time: w, meta: m}'),
      /unknown key `layouts\.orders\.columns\.meta`/,
      /id, stream, version, type, data, metadata, time/,
    ],
    [
      'a layout without a column',
      layout('columns: {stream: s}'),
      /layouts\.orders\.columns\.version` is not/,
      /./,
    ],
    [
      'a column for two',
      layout('columns: {stream: s, version: s, type: t, data: d, time: w}'),
      /one column cannot/,
      /./,
    ],
    ['SQL for a layout’s name', 'layouts: {"x; drop": {}}', /small letters, digits and -/, /./],
    ['streams that begin with 2', layout('version_base: 2'), /expected 0 or 1/, /./],
    ['a list', '- a', /the file is not valid/, /./],
    ['a key that stands twice', 'store: a\nstore: b', /:2:1 is not valid YAML/, /./],
    ['no YAML', 'store: [', /:1:\d+ is not valid YAML/, /./],
    ['more aliases than anyone needs', bomb(), /is not valid YAML/, /./],
  ];
  for (const [what, text, message, hint] of refused) {
    it(`with ${what} is refused, naming the place and the way out`, () => {
      assert.throws(
        () => parseConfig(text, PATH),
        (error) =>
          isBackupError(error, 'config_invalid') &&
          error.message.startsWith(PATH) &&
          message.test(error.message) &&
          hint.test(error.hint ?? ''),
      );
    });
  }

  it('says how the store is watched, and who is told', () => {
    const text = `
monitor: { check_interval: 30m, sample_percentage: 2.5%, jitter: 20, rate_limit: 5MB/s, repeat_after: 12h }
notify:
  - log
  - webhook: { url: "https://x.example/y", secret: "env:HOOK" }
  - mail: { server: "smtps://me@mail.example:465", password: "file:p", from: a@x.example, to: [b@x.example] }
  - { slack: { url: "env:SLACK_URL" }, severity: critical }
  - { command: [page, --now], severity: critical, after: 30m }`;
    const { monitor, notify } = parseConfig(text, PATH);
    assert.deepEqual(monitor, {
      ...{ check_interval: 1_800_000, sample_percentage: 2.5, jitter: 20, rate_limit: 5_000_000 },
      repeat_after: 43_200_000,
    });
    assert.deepEqual(
      notify!.map((entry) => Object.keys(entry)[0]),
      ['log', 'webhook', 'mail', 'slack', 'command'],
    );
    assert.deepEqual(notifierRules({ notify: notify! }).slice(-2), [
      { name: 'slack', criticalOnly: true, afterMs: 0 },
      { name: 'command', criticalOnly: true, afterMs: 1_800_000 },
    ]);
  });

  it('shows no secret that stands where its place belongs', () => {
    for (const notifier of [
      'webhook: {url: "https://x.example", secret: whsec_c4n4ry}',
      'webhook: {url: c4n4ry}',
      'slack: {url: c4n4ry}',
      'mail: {server: "smtp://me:c4n4ry@x.example", from: a@b, to: [a@b]}',
      'mail: {server: "smtp://me@x.example", password: c4n4ry, from: a@b, to: [a@b]}',
    ]) {
      assert.throws(
        () => parseConfig(`notify: [{${notifier}}]`, PATH),
        (error) =>
          isBackupError(error, 'config_invalid') && !`${error.message}${error.hint}`.includes('c4n4ry'),
      );
    }
  });

  it('that is no YAML shows no password of it', () => {
    assert.throws(
      () => parseConfig('store: "postgres://user:s3cr3t@host/db\nvault: x', PATH),
      (error) =>
        isBackupError(error, 'config_invalid') && !`${error.message}${error.hint}`.includes('s3cr3t'),
    );
  });
});

describe('settings', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'eventcore-config-'));
    mkdirSync(join(folder, 'etc'));
    writeFileSync(join(folder, CONFIG_NAME), 'store: sqlite:./here.db\nvault: ./here\n');
    writeFileSync(join(folder, 'etc', 'other.yaml'), 'store: sqlite:./there.db\nvault: file:../there\n');
    writeFileSync(join(folder, 'etc', 'bad.yaml'), 'store: mysql://user:s3cr3t@host/db\n');
  });
  after(() => rmSync(folder, { recursive: true }));

  it('come from the file in the working directory, with paths seen from there', async () => {
    const settings = await loadSettings({ flags: {}, env: {}, cwd: folder });
    assert.equal(settings.store, `sqlite:${folder}/here.db`);
    assert.equal(settings.vault, `file:${folder}/here`);
    assert.equal(settings.file, join(folder, CONFIG_NAME));
  });

  it('come from a named file, with paths seen from its folder', async () => {
    const env = { EVENTCORE_CONFIG: 'etc/other.yaml' };
    const settings = await loadSettings({ flags: {}, env, cwd: folder });
    assert.equal(settings.store, `sqlite:${folder}/etc/there.db`);
    assert.equal(settings.vault, `file:${folder}/there`);
    const byFlag = await loadSettings({ flags: { config: CONFIG_NAME }, env, cwd: folder });
    assert.equal(byFlag.store, `sqlite:${folder}/here.db`);
  });

  it('prefer a flag to the environment, and the environment to the file', async () => {
    const env = { EVENTCORE_STORE: 'sqlite:env.db', EVENTCORE_VAULT: 'env' };
    const fromEnv = await loadSettings({ flags: {}, env, cwd: folder });
    assert.deepEqual([fromEnv.store, fromEnv.vault], ['sqlite:env.db', 'env']);
    const fromFlags = await loadSettings({ flags: { store: 'sqlite:flag.db' }, env, cwd: folder });
    assert.deepEqual([fromFlags.store, fromFlags.vault], ['sqlite:flag.db', 'env']);
  });

  it('take an empty variable for none', async () => {
    const env = { EVENTCORE_STORE: '', EVENTCORE_VAULT: '', EVENTCORE_CONFIG: '' };
    assert.equal((await loadSettings({ flags: {}, env, cwd: folder })).store, `sqlite:${folder}/here.db`);
  });

  it('need no file, unless one is named', async () => {
    const cwd = join(folder, 'etc');
    assert.deepEqual(await loadSettings({ flags: {}, env: {}, cwd }), {
      store: null,
      vault: null,
      standby: null,
      layouts: {},
      backup: {},
      changeLog: {},
      encryption: {},
      monitor: {},
      notify: [],
      rateLimit: null,
      policy: null,
      policyWarnings: [],
      drill: {},
      serve: {},
      queue: {},
      shards: {},
      disaster: null,
      disasterWarnings: [],
      labels: {},
      fleet: null,
      file: null,
      common: null,
    });
    await assert.rejects(
      loadSettings({ flags: { config: 'none.yaml' }, env: {}, cwd }),
      (error) => isBackupError(error, 'config_invalid') && error.message.includes('none.yaml (ENOENT)'),
    );
  });

  it('with a faulty address name the file and hide the password', async () => {
    await assert.rejects(
      loadSettings({ flags: { config: 'etc/bad.yaml' }, env: {}, cwd: folder }),
      (error) =>
        isBackupError(error, 'config_invalid') &&
        error.message.includes('bad.yaml') &&
        error.message.includes('mysql:') &&
        !error.message.includes('s3cr3t'),
    );
  });

  it('without an address say all the ways to give it', async () => {
    const settings = await loadSettings({ flags: {}, env: {}, cwd: join(folder, 'etc') });
    assert.throws(
      () => requireAddress(settings, 'vault'),
      (error) =>
        isBackupError(error, 'usage') && /--vault ADDRESS.*EVENTCORE_VAULT.*`vault:`/.test(error.hint ?? ''),
    );
  });
});

/** One that is described well, but for what is said. */
function layout(said: string): string {
  const sound = [
    'table: log',
    'version_base: 1',
    'columns: {stream: s, version: v, type: t, data: d, time: w}',
  ];
  const key = said.slice(0, said.indexOf(':') + 1);
  return `layouts: {orders: {${[...sound.filter((line) => !line.startsWith(key)), said].join(', ')}}}`;
}

/** Ten lists, each of ten of the one before. */
function bomb(): string {
  const lists = Array.from({ length: 10 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(10)}]`);
  return ['l0: &l0 x', ...lists].join('\n');
}
