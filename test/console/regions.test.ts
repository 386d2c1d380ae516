import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { regionRoutes } from '../../src/console/pages/regions.ts';
import type { StatusRegion } from '../../src/core/status.ts';
import { jobsOf, pageOf, statusOf, type VisitOptions, visitOf } from './asked-visit.ts';

const NOW = Date.parse('2026-11-29T12:00:00Z');
const page = (options: VisitOptions): Promise<string> =>
  pageOf(regionRoutes, '/stores/:store/regions', visitOf({ nowMs: NOW, ...options }));

const region = (changes: Partial<StatusRegion>): StatusRegion => ({
  ...{ region: 'near', kind: 'replica', vault: 's3://near', newestPoint: '2026-11-29T11:00:00Z' },
  ...{ backups: 12, lagSeconds: 3600, ...changes },
});

describe('the page of regions', () => {
  it('says what each region brings back alone, and how far it is behind', async () => {
    const regions = [
      region({ region: 'here', kind: 'primary', lagSeconds: 0 }),
      region({}),
      region({ region: 'even', lagSeconds: 0 }),
      region({ region: 'dark', newestPoint: null, backups: null, lagSeconds: null }),
      region({ region: 'empty', newestPoint: null, backups: 0 }),
      region({ region: 'cold', kind: 'archive', newestPoint: null, backups: 0, lagSeconds: null }),
    ];
    const objective = {
      name: 'region_rpo',
      region: 'near',
      promisedMs: 1_800_000,
      actualMs: 3_600_000,
    } as const;
    const objectives = [
      { ...objective, state: 'breached', reason: 'near is 1 h behind', next: 'run `eventcore sync`' },
    ] as const;
    const problems = [
      {
        of: 'region dark',
        code: 'vault_unreachable',
        message: 's3://dark is away',
        hint: 'see that it is there',
      },
    ];
    const status = statusOf({ regions, problems });
    const text = await page({ store: { status, objectives, jobs: jobsOf('sync') } });
    assert.equal(text.split('1 h ago').length - 1, 3);
    assert.match(text, /not at all/);
    assert.match(text, /nothing old enough yet/);
    assert.match(text, /breached<\/span> within 30min/);
    assert.match(text, /Near is 1 h behind\./);
    assert.match(text, /region dark: s3:\/\/dark is away/);
    assert.match(text, /action="\/stores\/shop\/jobs\/sync\/run"/);
    assert.match(text, /href="\/stores\/shop\/regions\/disaster"/);
  });

  it('says what it would take where there is one place only', async () => {
    const text = await page({ store: { status: statusOf() } });
    assert.match(text, /All copies are in one place/);
    assert.match(text, /primary: \{ region: here, storage: file:\/backups \}/);
    assert.doesNotMatch(text, /<form/);
  });

  it('says that nothing is known before the first look', async () => {
    assert.match(await page({}), /not known yet/);
  });
});
