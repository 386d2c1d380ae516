import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ServedJob, servedJobs } from '../../src/cli/serve/jobs.ts';
import { serveSchema } from '../../src/cli/serve/schema.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { RegionPolicy } from '../../src/core/region-policy.ts';

function jobsOf(serve: object, policy: RegionPolicy | null = null): ServedJob[] {
  return servedJobs({ serve: serveSchema.parse(serve), policy, file: 'eventcore.config.yaml' });
}

/** Those on a schedule. */
function scheduledOf(serve: object, policy: RegionPolicy | null = null): string[] {
  return jobsOf(serve, policy)
    .filter(({ timing }) => timing.kind !== 'asked')
    .map(({ name }) => name);
}

function one(serve: object, name: string): ServedJob {
  const found = jobsOf(serve).find((job) => job.name === name);
  assert.ok(found !== undefined, name);
  return found;
}

const POLICY: RegionPolicy = {
  primary: {
    ...{ region: 'a', storage: 'file:/a', retention: null },
    schedule: { cron: '0 */6 * * *', timeZone: 'Europe/Berlin' },
  },
  replicas: [
    {
      region: 'b',
      storage: 'file:/b',
      retention: null,
      syncSchedule: { cron: '0 1 * * *', timeZone: 'UTC' },
    },
  ],
  archive: null,
};

describe('the jobs of a daemon', () => {
  it('run at the times that the section says, by their own commands', () => {
    const job = one({ jobs: { verify: { schedule: '0 5 * * *', options: ['--share', '5%'] } } }, 'verify');
    assert.deepEqual(job.words, ['verify', '--share', '5%']);
    assert.deepEqual(job.timing, { kind: 'schedule', schedule: { cron: '0 5 * * *', timeZone: 'UTC' } });
    assert.deepEqual(one({ jobs: { full: '0 2 * * 0' } }, 'full').words, ['backup', 'full']);
    assert.deepEqual(one({ jobs: { archive: 'always' } }, 'archive').timing, { kind: 'always' });
  });

  it('come from the policy where the section says nothing', () => {
    assert.deepEqual(scheduledOf({}, POLICY), ['incremental', 'sync', 'doctor']);
    const incremental = jobsOf({}, POLICY).find(({ name }) => name === 'incremental');
    assert.deepEqual(incremental!.timing, { kind: 'schedule', schedule: POLICY.primary.schedule });
    assert.deepEqual(scheduledOf({ jobs: { sync: 'off', doctor: 'off' } }, POLICY), ['incremental']);
  });

  it('that are safe run when somebody asks, unless they are off; copies, where there are any', () => {
    const askedOf = (jobs: object, policy: RegionPolicy | null = null) =>
      jobsOf({ jobs }, policy)
        .filter(({ timing }) => timing.kind === 'asked')
        .map(({ name }) => name);
    assert.deepEqual(askedOf({ full: '0 2 * * 0' }), ['incremental', 'verify', 'drill']);
    assert.deepEqual(askedOf({ full: 'off', drill: 'off', sync: 'off' }, POLICY), ['verify']);
    const unscheduled = { ...POLICY, replicas: [{ ...POLICY.replicas[0]!, syncSchedule: null }] };
    assert.ok(askedOf({}, unscheduled).includes('sync'));
    assert.deepEqual(one({ jobs: { full: '0 2 * * 0' } }, 'drill').words, ['drill']);
  });

  it('keep the time zone of the policy for schedules of their own', () => {
    const [drill] = jobsOf({ jobs: { drill: '0 6 * * 1' } }, POLICY).filter(({ name }) => name === 'drill');
    assert.deepEqual(drill!.timing, {
      kind: 'schedule',
      schedule: { cron: '0 6 * * 1', timeZone: 'Europe/Berlin' },
    });
  });

  it('are ended after a time that a timer can hold', () => {
    assert.equal(
      one({ deadline: '14d', jobs: { full: '0 2 * * 0' } }, 'full').deadlineMs,
      14 * 24 * 3_600_000,
    );
    assert.equal(serveSchema.safeParse({ deadline: '30d' }).success, false);
    assert.equal(one({ jobs: { archive: 'always' } }, 'archive').deadlineMs, Number.POSITIVE_INFINITY);
  });

  it('that read everything share a lane, and backups have one of their own', () => {
    const jobs = { full: '0 2 * * 0', incremental: '*/15 * * * *', verify: '0 5 * * *', drill: '0 6 * * 1' };
    const lanes = jobsOf({ jobs }).map(({ name, lane }) => [name, lane]);
    assert.deepEqual(Object.fromEntries(lanes), {
      ...{ full: 'backup', incremental: 'backup', verify: 'proof', drill: 'proof', doctor: 'check' },
    });
  });

  it('take the first incremental backup behind the first full one, where that is on a schedule', () => {
    const after = (jobs: object) => one({ jobs: { incremental: '0 * * * *', ...jobs } }, 'incremental').after;
    assert.equal(after({ full: '0 2 * * 0' }), 'full');
    assert.equal(after({}), undefined);
    assert.equal(after({ full: 'off' }), undefined);
  });

  const refused: readonly [string, object, RegExp][] = [
    ['a schedule with seconds', { full: '0 0 2 * * *' }, /six fields/],
    ['a time zone that is none', { full: { schedule: '0 2 * * *', time_zone: 'Mars/Base' } }, /no time zone/],
    ['a backup that is to run always', { full: 'always' }, /ends by itself/],
    ['an archiver with a schedule', { archive: '0 2 * * *' }, /runs until it is stopped/],
    ['a job that does not say when', { prune: { options: ['--keep-last', '3'] } }, /does not say when/],
  ];
  for (const [what, jobs, message] of refused) {
    it(`refuse ${what}, naming the job`, () => {
      assert.throws(
        () => jobsOf({ jobs }),
        (error) =>
          isBackupError(error, 'config_invalid') &&
          message.test(error.message) &&
          /serve\.jobs\./.test(error.message),
      );
    });
  }
});
