import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CONFIG_NAME, loadSettings, requireDisaster } from '../../src/cli/config/config.ts';
import { parseConfig } from '../../src/cli/config/file.ts';
import { configTemplate } from '../../src/cli/config/template.ts';
import { readDisaster } from '../../src/cli/disaster/config.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { RegionPolicy } from '../../src/core/region-policy.ts';

const PATH = '/etc/app/eventcore.config.yaml';

const WHOLE = `
disaster:
  public: postgres://app@db.example.com:5432/events
  name: { rfc2136: { server: ns1.example.com:53, zone: example.com, name: db.example.com, type: CNAME, ttl: 30, key: file:dr.key } }
  max_data_loss: 2MB
  probe_timeout: 5s
  vantages: [ { name: office, command: [ssh, office, eventcore, dr, probe, --json] } ]
  migrate: [./migrate.sh, up]
  lease: { vault: s3://third-place, ttl: 20s }
  regions:
    - region: eu
      value: db-eu.example.com.
      restore_to: postgres://postgres@spare-eu/events
      health: https://eu.example.com/health
      fence: [ postgres, { command: [ssh, power, off], check: [ssh, power, is-off] }, lease ]
      scale: { kubernetes: { namespace: events, cluster: pg, instances: 3 } }
      rejoin: { data: /var/lib/postgresql/15/main, bin: /usr/lib/postgresql/15/bin, run: [ssh, db-eu], reclone: true }
      servers:
        - postgres://postgres:secret@db-eu-1/events
        - { address: "postgres://postgres@db-eu-2/events", value: db-eu-2.example.com, fence: [ lease ] }
    - region: us
      value: db-us.example.com
      vault: ./us
      fence: [ { kubernetes: { api: "https://k8s.example.com", token: "env:TOKEN", namespace: events, workload: statefulset/pg } } ]
      servers: [ "postgres://postgres@db-us/events" ]
  steps: { promote: 90s }
`;

const POLICY: RegionPolicy = {
  primary: { region: 'eu', storage: 'file:/vaults/eu', retention: null, schedule: null },
  replicas: [{ region: 'ap', storage: 'file:/vaults/ap', retention: null, syncSchedule: null }],
  archive: { region: 'archive', storage: 'file:/vaults/cold', retention: null, afterDays: 90 },
};

const same = (address: string) => address;

function read(text: string, policy: RegionPolicy | null = POLICY) {
  const section = parseConfig(text, PATH).disaster!;
  return readDisaster(section, { path: PATH, policy, resolveStore: same, resolveVault: same });
}

/** The smallest section that is right, with something else at places. */
function small(changes: { readonly top?: string; readonly eu?: string; readonly us?: string }): string {
  return `
disaster:
  ${changes.top ?? ''}
  regions:
    - { region: eu, servers: ["postgres://p@eu/events"], fence: [ { command: [off] } ], ${changes.eu ?? ''} }
    - { region: us, servers: ["postgres://p@us/events"], fence: [ { command: [off] } ], vault: ./us, ${changes.us ?? ''} }
`;
}

describe('the section disaster', () => {
  const { disaster, warnings } = read(WHOLE);
  const [eu, us] = disaster.regions;

  it('gives every server what its region says, unless it says otherwise itself', () => {
    const [first, second] = eu!.servers;
    assert.equal(first!.value, 'db-eu.example.com.');
    assert.deepEqual(first!.fences, [
      { postgres: {} },
      { command: ['ssh', 'power', 'off'], check: ['ssh', 'power', 'is-off'] },
      { lease: {} },
    ]);
    assert.equal(second!.value, 'db-eu-2.example.com');
    assert.deepEqual(second!.fences, [{ lease: {} }]);
    assert.equal(second!.rejoin?.reclone, true);
    assert.equal(us!.servers[0]!.rejoin, null);
    assert.deepEqual(eu!.restoreTo, {
      address: 'postgres://postgres@spare-eu/events',
      value: 'db-eu.example.com.',
    });
  });

  it('takes the vault of a region from the policy, and reads from all that the policy has', () => {
    assert.equal(eu!.vault, 'file:/vaults/eu');
    assert.deepEqual(disaster.vaults, [
      { region: 'eu', address: 'file:/vaults/eu', keepsJournal: true, isArchive: false },
      { region: 'us', address: './us', keepsJournal: true, isArchive: false },
      { region: 'ap', address: 'file:/vaults/ap', keepsJournal: false, isArchive: false },
      { region: 'archive', address: 'file:/vaults/cold', keepsJournal: false, isArchive: true },
    ]);
  });

  it('says times in milliseconds and sizes in bytes', () => {
    assert.deepEqual(
      [disaster.maxDataLossBytes, disaster.probeTimeoutMs, disaster.lease?.ttlMs, disaster.deadlinesMs],
      [2_000_000, 5000, 20_000, { promote: 90_000 }],
    );
  });

  it('has defaults for what is not said', () => {
    const plain = read(small({})).disaster;
    assert.deepEqual(
      [plain.maxDataLossBytes, plain.probeTimeoutMs, plain.vantages, plain.name, plain.public, plain.lease],
      [1_000_000, 3000, [], null, null, null],
    );
    assert.equal(plain.regions[0]!.servers[0]!.value, null);
  });

  it('may be as init writes it, once it is no comment any more', () => {
    const [, commented] = configTemplate('sqlite:./a', './b').split(/^(?=# disaster:)/m);
    const policy = { ...POLICY, primary: { ...POLICY.primary, region: 'us-east-1' } };
    const replicas = [{ ...POLICY.replicas[0]!, region: 'us-west-2' }];
    const found = read(commented!.replace(/^# /gm, ''), { ...policy, replicas });
    assert.deepEqual(found.warnings, []);
    assert.equal(found.disaster.regions.length, 2);
  });

  it('warns of nothing that it need not warn of', () => {
    assert.deepEqual(warnings, []);
  });

  const warned: [name: string, text: string, expected: RegExp][] = [
    [
      'a server without a fence',
      small({ eu: 'fence: []' }).replace('fence: [ { command: [off] } ], fence', 'fence'),
      /no fence for postgres:\/\/p@eu\/events/,
    ],
    [
      'a server that is only fenced while it answers',
      small({}).replace('fence: [ { command: [off] } ]', 'fence: [ postgres ]'),
      /can be fenced only while it answers/,
    ],
    ['a vault for two regions', small({ eu: 'vault: ./us' }), /two regions have one vault/],
    [
      'a restore to a database that applications do not ask for',
      small({ top: 'public: postgres://app@db/events', eu: 'restore_to: postgres://p@spare/other' }),
      /applications ask for the database events, and region eu restores to other/,
    ],
  ];
  for (const [name, text, expected] of warned) {
    it(`warns of ${name}`, () => {
      const found = read(text).warnings;
      assert.equal(found.length, 1, JSON.stringify(found));
      assert.match(found[0]!.message, expected);
    });
  }

  const named = (record: string) =>
    `name: { rfc2136: { server: ns, zone: example.com, key: file:k, ${record} } }`;
  const refused: [name: string, text: string, expected: RegExp][] = [
    [
      'no region at all',
      'disaster: { regions: [] }',
      /`disaster\.regions` is not valid: expected at least one/,
    ],
    [
      'a region without a server',
      small({}).replace('["postgres://p@us/events"]', '[]'),
      /`disaster\.regions\.1\.servers` is not valid/,
    ],
    ['an unknown key', small({ top: 'max_loss: 1MB' }), /unknown key `disaster\.max_loss`/],
    ['an unknown key of a region', small({ us: 'fences: []' }), /unknown key `disaster\.regions\.1\.fences`/],
    ['an unknown step', small({ top: 'steps: { pray: 1h }' }), /unknown key `disaster\.steps\.pray`/],
    [
      'a fence of two kinds',
      small({ eu: 'scale: { command: [a], webhook: { url: "https://a" } }' }),
      /`disaster\.regions\.0\.scale` is not valid: expected one of kubernetes, command, webhook/,
    ],
    [
      'a fence that is none',
      WHOLE.replace('fence: [ lease ]', 'fence: [ hope ]'),
      /`disaster\.regions\.0\.servers\.1\.fence\.0` is not valid/,
    ],
    [
      'a secret where its place belongs',
      WHOLE.replace('file:dr.key', 'c2VjcmV0'),
      /`disaster\.name\.rfc2136\.key` is not valid: expected where the secret is/,
    ],
    [
      'a workload of Kubernetes that is none',
      WHOLE.replace('statefulset/pg', 'pg'),
      /workload` is not valid: expected deployment\/NAME/,
    ],
    [
      'Kubernetes without either',
      WHOLE.replace(', workload: statefulset/pg', ''),
      /expected either `cluster` or `workload`/,
    ],
    [
      'two regions of one name',
      small({}).replace('region: us', 'region: eu'),
      /there is a region "eu" already/,
    ],
    [
      'a vantage point named here',
      small({ top: 'vantages: [{ name: here, command: [a] }]' }),
      /`disaster\.vantages\.0`: there is a vantage point of this name already/,
    ],
    [
      'a server that is no server',
      small({}).replace('postgres://p@us/events', 'sqlite:./a.db'),
      /`disaster\.regions\.1\.servers\.0`: sqlite:\.\/a\.db is no server/,
    ],
    [
      'a server twice',
      small({}).replace('postgres://p@us/events', 'postgres://other:secret@eu:5432/events'),
      /servers\.0` and `disaster\.regions\.0\.servers\.0` name one database/,
    ],
    [
      'a restore onto a server',
      small({ us: 'restore_to: postgres://p@eu/events' }),
      /`disaster\.regions\.1\.restore_to` and `disaster\.regions\.0\.servers\.0` name one database/,
    ],
    [
      'a region without a vault',
      small({}).replace('vault: ./us,', ''),
      /`disaster\.regions\.1` has no vault/,
    ],
    [
      'a name without a value',
      small({ top: named('name: db.example.com, type: CNAME'), us: 'value: a.' }),
      /`disaster\.regions\.0\.servers\.0` has no `value`/,
    ],
    [
      'an address as a CNAME',
      small({ top: named('name: db.example.com, type: CNAME'), eu: 'value: 10.0.0.1', us: 'value: b' }),
      /"10\.0\.0\.1" cannot be the value of a record of type CNAME/,
    ],
    [
      'a host as an A',
      small({ top: named('name: db.example.com, type: A'), eu: 'value: host', us: 'value: 10.0.0.1' }),
      /"host" cannot be the value of a record of type A/,
    ],
    [
      'a name that lies elsewhere',
      small({ top: named('name: db.example.org, type: A'), eu: 'value: 10.0.0.2', us: 'value: 10.0.0.1' }),
      /db\.example\.org does not lie in the zone example\.com/,
    ],
    [
      'a lease fence without a lease',
      small({}).replace('[ { command: [off] } ]', '[ lease ]'),
      /the fence `lease` needs `disaster\.lease`/,
    ],
  ];
  for (const [name, text, expected] of refused) {
    it(`refuses ${name}, and names the key`, () => {
      assert.throws(
        () => read(text),
        (error) =>
          isBackupError(error, 'config_invalid') &&
          expected.test(error.message) &&
          !/secret@|c2Vj/.test(error.message),
        expected.source,
      );
    });
  }

  it('says which keys there are at the place of an unknown one', () => {
    const hintOf = (text: string) => {
      try {
        read(text);
      } catch (error) {
        return isBackupError(error) ? error.hint : null;
      }
      return null;
    };
    assert.match(
      hintOf(small({ us: 'fences: []' }))!,
      /allowed in `disaster\.regions\.1`: region, servers, restore_to/,
    );
    assert.match(
      hintOf(WHOLE.replace('run:', 'runs:'))!,
      /allowed in `disaster\.regions\.0\.rejoin`: data, bin, run, source/,
    );
  });
});

describe('settings', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'disaster-config-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('see paths of the section from the folder of the file', async () => {
    writeFileSync(join(folder, CONFIG_NAME), small({ eu: 'vault: ./eu' }));
    const settings = await loadSettings({ flags: {}, env: {}, cwd: folder });
    assert.deepEqual(
      requireDisaster(settings, () => {}).vaults.map(({ address }) => address),
      [`file:${join(folder, 'eu')}`, `file:${join(folder, 'us')}`],
    );
  });

  it('without the section have none, and a command that needs it says what to write', async () => {
    writeFileSync(join(folder, CONFIG_NAME), 'store: sqlite:./a.db\n');
    const settings = await loadSettings({ flags: {}, env: {}, cwd: folder });
    assert.throws(
      () => requireDisaster(settings, () => {}),
      (error) => isBackupError(error, 'usage') && /`disaster:`/.test(error.hint!),
    );
  });
});
