import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { judgePolicy } from '../../../src/cli/manifests/policy.ts';
import { MANIFEST_RULES } from '../../../src/kubernetes/check/finding.ts';
import { BACKUP_CASES } from './backup-cases.ts';
import { CLUSTER_CASES } from './cluster-cases.ts';
import { briefly, judge } from './judge.ts';
import { RECOVERY_CASES } from './recovery-cases.ts';
import { SCALING_CASES } from './scaling-cases.ts';
import { set, sound, type World } from './world.ts';

const CASES = [...CLUSTER_CASES, ...BACKUP_CASES, ...RECOVERY_CASES, ...SCALING_CASES];

/** Of how documents are read: `manifest.test.ts`; of comments: `specification.test.ts`. */
const ELSEWHERE = ['not_yaml', 'not_a_manifest', 'schedule_elsewhere'];

describe('the rules for manifests report', () => {
  for (const { says, change, found } of CASES) {
    it(says, () => {
      const findings = judged(change);
      assert.deepEqual(findings.map(briefly).sort(), [...found].sort());
      for (const { message, hint } of findings)
        assert.doesNotMatch(`${message} ${hint}`, /hunter2|undefined|NaN|\[object/);
    });
  }

  it('each at least once here', () => {
    const found = new Set(CASES.flatMap((one) => one.found.map((text) => text.split(' ')[1]!)));
    assert.deepEqual(
      MANIFEST_RULES.filter((rule) => !found.has(rule)),
      ELSEWHERE,
    );
  });
});

function judged(change: (world: World) => void) {
  const world = sound();
  change(world);
  const { cluster, store, schedule, others } = world;
  return judge(
    {
      'all.yaml': [cluster, store, schedule, ...others]
        .map((value) => stringify(value, { version: '1.1' }))
        .join('---\n'),
    },
    judgePolicy,
  );
}

describe('what a rule says', () => {
  const said = (change: (world: World) => void) =>
    judged(change).map(({ message, hint }) => `${message} | ${hint}`);

  it('of years leads to months', () => {
    assert.match(said(({ store }) => set(store, 'spec.retentionPolicy', '7y'))[0]!, /84m/);
    assert.match(said(({ store }) => set(store, 'spec.retentionPolicy', '30 days'))[0]!, /write 30d$/);
  });

  it('of five fields is what would really run, and what was meant', () => {
    const [text] = said(({ schedule }) => set(schedule, 'spec.schedule', '0 */6 * * *'));
    assert.match(text!, /runs every 6 minutes.*"0 0 \*\/6 \* \* \*", which runs every 6 hours at hh:00:00/);
  });

  it('of a field that is spelt wrongly names the right one', () => {
    assert.match(
      said(({ cluster }) => set(cluster, 'spec.plugins.0.isWalArchiver', true))[0]!,
      /did you mean `isWALArchiver`/,
    );
    assert.match(said(({ cluster }) => set(cluster, 'spec.walstorge', {}))[0]!, /did you mean `walStorage`/);
    assert.match(
      said(({ cluster }) => set(cluster, 'spec.backup', { encryption: 'AES256' }))[0]!,
      /belongs in `spec\.backup\.barmanObjectStore\.data\.encryption`/,
    );
    assert.match(
      said(({ cluster }) => set(cluster, 'spec.configuration', {}))[0]!,
      /`spec\.configuration` of kind ObjectStore/,
    );
    assert.match(
      said(({ cluster }) => set(cluster, 'spec.backup', { schedule: '0 0 2 * * *' }))[0]!,
      /ScheduledBackup/,
    );
    assert.match(said(({ cluster }) => set(cluster, 'namespace', 'x'))[0]!, /metadata\.namespace/);
  });
});
