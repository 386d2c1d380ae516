import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadSettings, requirePolicy } from '../../src/cli/config/config.ts';
import { parseConfig } from '../../src/cli/config/file.ts';
import { readPolicy } from '../../src/cli/config/policy-file.ts';
import { isBackupError } from '../../src/core/errors.ts';
import { DAY_MS } from '../../src/policy/duration.ts';

const SPECIFIED = `# Primary backup configuration
primary:
  region: us-east-1
  storage: s3://eventcore-backups-primary
  schedule: "0 */6 * * *" # Every 6 hours
  retention: "30d"
# Cross-region replication
replicas:
  - region: us-west-2
    storage: s3://eventcore-backups-west
    sync_schedule: "0 1 * * *" # Daily sync
    retention: "90d"
  - region: eu-west-1
    storage: s3://eventcore-backups-eu
    sync_schedule: "0 2 * * *" # Daily sync
    retention: "90d"
# Archive configuration
archive:
  storage: glacier://eventcore-archive
  after_days: 90
  retention: "7y"
`;

const CONFIG_MAP = `apiVersion: v1
kind: ConfigMap
metadata:
  name: backup-config
  namespace: eventcore
data:
  backup-policy.yaml: |
${SPECIFIED.replace(/^/gm, '    ')}`;

const PATH = '/etc/app/policy.yaml';

function read(text: string, vault: string | null = null) {
  const nowMs = Date.parse('2026-11-29T14:00:00Z');
  return readPolicy(parseConfig(text, PATH), { path: PATH, vault, resolve: (address) => address, nowMs });
}

describe('the policy of the specification', () => {
  const found = read(SPECIFIED)!;

  it('is read as it stands there', () => {
    const days = (count: number) => ({ withinMs: count * DAY_MS });
    const at = (cron: string) => ({ cron, timeZone: 'UTC' });
    assert.deepEqual(found.policy, {
      primary: {
        ...{ region: 'us-east-1', storage: 's3://eventcore-backups-primary' },
        ...{ schedule: at('0 */6 * * *'), retention: days(30) },
      },
      replicas: [
        {
          ...{ region: 'us-west-2', storage: 's3://eventcore-backups-west' },
          ...{ syncSchedule: at('0 1 * * *'), retention: days(90) },
        },
        {
          ...{ region: 'eu-west-1', storage: 's3://eventcore-backups-eu' },
          ...{ syncSchedule: at('0 2 * * *'), retention: days(90) },
        },
      ],
      archive: {
        ...{ region: 'archive', storage: 'glacier://eventcore-archive' },
        ...{ afterDays: 90, retention: days(2555) },
      },
    });
  });

  it('is warned of: copies expire when they are to be archived', () => {
    assert.deepEqual(
      found.warnings.map(({ code }) => code),
      ['archive_on_last_day'],
    );
  });

  it('may come in a ConfigMap', () => {
    assert.deepEqual(read(CONFIG_MAP), found);
    assert.throws(
      () => read(CONFIG_MAP.replace('after_days', 'afterDays')),
      (error) => isBackupError(error, 'config_invalid') && /after/.test(error.message),
    );
  });
});

describe('a policy', () => {
  it('is none where its sections are missing or empty', () => {
    assert.equal(read('store: sqlite:x'), null);
    assert.equal(read('primary:\nreplicas:\ntime_zone: Europe/Berlin\n'), null);
  });

  it('may keep by counts, a change log for its own time, and say how much there always is', () => {
    const text = `primary:
  region: eu
  storage: ./a
  retention: { within: 6m, last: 3, daily: 7, weekly: 12, monthly: 12, yearly: 7, log: 14d, minimum_redundancy: 2 }`;
    assert.deepEqual(read(text)!.policy.primary.retention, {
      ...{ withinMs: 180 * DAY_MS, last: 3, daily: 7, weekly: 12, monthly: 12, yearly: 7 },
      ...{ logMs: 14 * DAY_MS, minimumRedundancy: 2 },
    });
  });

  it('has one time zone for all, and another for a region that names one', () => {
    const { primary, replicas } = read(`time_zone: Europe/Berlin
primary: { region: eu, storage: ./a, schedule: "0 1 * * *", retention: 30d }
replicas: [{ region: us, storage: ./b, sync_schedule: "0 2 * * *", retention: { daily: 60 }, time_zone: America/New_York }]`)!.policy;
    assert.equal(primary.schedule?.timeZone, 'Europe/Berlin');
    assert.equal(primary.retention?.timeZone, 'Europe/Berlin');
    assert.equal(replicas[0]?.syncSchedule?.timeZone, 'America/New_York');
    assert.equal(replicas[0]?.retention?.timeZone, 'America/New_York');
  });

  it('says what may be lost', () => {
    const text =
      'primary: { region: eu, storage: ./a }\nobjectives: { rpo: 15m, region_rpo: 24h, verified_within: 6m }';
    assert.deepEqual(read(text)!.policy.objectives, {
      ...{ rpoMs: 900_000, regionRpoMs: DAY_MS, verifiedWithinMs: 180 * DAY_MS },
    });
  });

  it('takes the vault for the storage of its primary, and the other way round', () => {
    assert.equal(read('primary: { region: eu }', 'file:/v')!.policy.primary.storage, 'file:/v');
    const same = 'primary: { region: eu, storage: "file:/v" }';
    assert.equal(read(same, 'file:/v')!.policy.primary.storage, 'file:/v');
  });

  const refused: [string, string, RegExp, RegExp][] = [
    ['no primary', 'replicas: []', /`replicas` needs `primary`/, /write `primary:`/],
    ['no place', 'primary: { region: eu }', /`primary` has no storage/, /`vault:`/],
    ['an unknown key', 'primary: { regoin: eu }', /`primary\.region`|unknown key/, /./],
    [
      'an unknown key in a replica',
      'replicas: [{ region: a, storage: b, schedule: "0 1 * * *" }]',
      /unknown key `replicas\.0\.schedule`/,
      /allowed in `replicas\.0`: region, storage, sync_schedule, retention, time_zone/,
    ],
    [
      'an unknown key in what is kept',
      'primary: { region: eu, storage: a, retention: { days: 3 } }',
      /unknown key `primary\.retention\.days`/,
      /within, last, daily, weekly, monthly, yearly, log, minimum_redundancy/,
    ],
    [
      'a retention that says nothing',
      'primary: { region: eu, storage: a, retention: {} }',
      /it says nothing/,
      /./,
    ],
    [
      'a span of time that is none',
      'archive: { storage: a, after_days: 3, retention: 7 years }',
      /`archive\.retention\.within` is not valid: expected a span of time, as 12h/,
      /./,
    ],
    [
      'a schedule with seconds',
      'primary: { region: eu, storage: a, schedule: "0 0 */6 * * *" }',
      /`primary\.schedule`: "0 0 \*\/6 \* \* \*" has six fields/,
      /CloudNativePG.*"0 \*\/6 \* \* \*"/,
    ],
    [
      'a time zone that is not known',
      'primary: { region: eu, storage: a, time_zone: Mars/Olympus }',
      /the time zone of `primary`, "Mars\/Olympus", is not known/,
      /Europe\/Berlin/,
    ],
    [
      'two regions in one place',
      'primary: { region: eu, storage: "file:/a" }\nreplicas: [{ region: us, storage: "file:/a/b" }]',
      /the storage of us is inside that of eu/,
      /a place of its own|of its own/,
    ],
  ];
  for (const [what, text, message, hint] of refused) {
    it(`with ${what} is refused, naming the place and the way out`, () => {
      assert.throws(
        () => read(text),
        (error) =>
          isBackupError(error, 'config_invalid') &&
          error.message.startsWith(PATH) &&
          message.test(error.message) &&
          hint.test(error.hint ?? ''),
      );
    });
  }

  it('that names another place than the vault is refused', () => {
    assert.throws(
      () => read('primary: { region: eu, storage: "file:/a" }', 'file:/b'),
      (error) => isBackupError(error, 'config_invalid') && /name two places/.test(error.message),
    );
  });
});

describe('settings with a policy', () => {
  let cwd: string;
  before(() => {
    cwd = mkdtempSync(join(tmpdir(), 'eventcore-policy-'));
    const text = `primary: { region: eu, storage: ./eu, schedule: "0 */6 * * *" }
replicas: [{ region: us, storage: ./us, sync_schedule: "0 1 * * *" }]
objectives: { rpo: 1h }
`;
    writeFileSync(join(cwd, 'eventcore.config.yaml'), text);
    writeFileSync(join(cwd, 'same.yaml'), 'vault: eu\nprimary: { region: eu, storage: ./eu }\n');
  });
  after(() => rmSync(cwd, { recursive: true }));

  it('see places from the folder of the file, and have the vault of the primary for theirs', async () => {
    const settings = await loadSettings({ flags: {}, env: {}, cwd });
    assert.equal(settings.vault, `file:${cwd}/eu`);
    assert.equal(settings.policy?.replicas[0]?.storage, `file:${cwd}/us`);
    assert.deepEqual(
      settings.policyWarnings.map(({ code }) => code),
      ['rpo_not_given'],
    );
    const same = await loadSettings({ flags: { config: 'same.yaml' }, env: {}, cwd });
    assert.equal(same.policy?.primary.storage, `file:${cwd}/eu`);
  });

  it('give the policy to who acts on it, and say what is worth a look in it', async () => {
    const said: string[] = [];
    const settings = await loadSettings({ flags: {}, env: {}, cwd });
    const given = requirePolicy(settings, (message) => said.push(message));
    assert.equal(given, settings.policy);
    assert.equal(said.length, 1);
    assert.match(said[0]!, /^policy: objectives\.rpo is 1h, but up to 6h pass .*eventcore archive/);
    assert.throws(
      () => requirePolicy({ ...settings, policy: null }, () => assert.fail()),
      (error) => isBackupError(error, 'usage') && /`primary:`/.test(error.hint ?? ''),
    );
  });

  it('let a flag and the environment name another vault', async () => {
    const flags = { vault: 'elsewhere' };
    const settings = await loadSettings({ flags, env: {}, cwd });
    assert.equal(settings.vault, 'elsewhere');
    assert.equal(settings.policy?.primary.storage, `file:${cwd}/eu`);
  });
});
