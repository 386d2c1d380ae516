import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseConfig } from '../../src/cli/config/file.ts';
import { readDisaster } from '../../src/cli/disaster/config.ts';
import { recoverySettings } from '../../src/cli/disaster/ports.ts';
import { approveCommand, assessmentLines, lossText, planLines } from '../../src/cli/render/disaster.ts';
import { entryLine, lostText, outcomeLines } from '../../src/cli/render/run.ts';
import type { DisasterAssessment } from '../../src/core/disaster.ts';
import { RECOVERY_SETTINGS } from '../../src/disaster/context.ts';
import { sampleEntry, sampleOutcome, samplePlan } from '../harness/sample-disaster.ts';

const plain = (_: unknown, text: string): string => text;

describe('a plan for people', () => {
  const plan = samplePlan();

  it('has its reasons, its loss, all steps and what has to be accepted', () => {
    const text = planLines(plan, plain).join('\n');
    assert.match(text, /Plan 0b7e6c1e-\S+, because of region_outage/);
    assert.match(text, /regional_failover: a standby takes over, in region eu-west/);
    assert.match(text, /1\.6 MB of log, about 2,262 events, the last 1\.4 s \(from samples/);
    assert.match(text, / 1 +freeze +nothing is removed/);
    assert.match(text, / – +restore +a standby takes over/);
    assert.match(text, /about 2262 events \(--accept-data-loss\)/);
  });

  it('ends with the command that approves it, with every flag that it needs', () => {
    assert.equal(approveCommand(plan), `eventcore dr execute --approve ${plan.planId} --accept-data-loss`);
    assert.equal(approveCommand({ ...plan, risks: [] }), `eventcore dr execute --approve ${plan.planId}`);
  });

  it('shows no sign that a terminal would obey', () => {
    const hostile = samplePlan({ reasons: ['a\u001b[2Jb\nc'] });
    assert.ok(!planLines(hostile, plain).join('').includes('\u001b'));
  });
});

describe('a loss in words', () => {
  const nothing = { bytes: null, events: null, timeMs: null, sampleAgeMs: null, basis: 'no samples' };

  it('is not known rather than 0', () => {
    assert.equal(lossText(nothing), 'not known (no samples)');
    assert.equal(
      lostText({ estimate: nothing, exactEvents: null, exactMs: null, inDoubt: null }),
      'estimated: not known (no samples)',
    );
  });

  it('is what was counted, once it was', () => {
    assert.equal(lostText(sampleOutcome().dataLoss), '2,262 events of 1.4 s, counted; 1 event in doubt');
    assert.equal(
      lostText({ estimate: nothing, exactEvents: 0, exactMs: 0, inDoubt: null }),
      '0 events, counted',
    );
  });
});

describe('an outcome for people', () => {
  it('tells of what is left, and not of the plan once more', () => {
    const plan = samplePlan();
    const reasons = [...plan.reasons, 'salvage failed: away'];
    const text = outcomeLines(sampleOutcome({ state: 'in_part', reasons }), plan, plain).join('\n');
    assert.match(text, /^Recovered in part: regional_failover/);
    assert.match(text, /left +salvage failed: away/);
    assert.ok(!text.includes(plan.reasons[0]!));
  });

  it('and a journal entry on one line, with the time since the first', () => {
    const entry = sampleEntry({ kind: 'done', step: 'fence', at: '2026-11-29T03:04:07.678Z', text: 'a\nb' });
    const line = entryLine(entry, Date.parse('2026-11-29T03:04:05.678Z'));
    assert.equal(line, '+2.0 s  fence done: a\\u{a}b');
  });
});

describe('an assessment for people', () => {
  it('names servers by host and port in its table, and says who must not take over', () => {
    const { primary, estimatedDataLoss } = samplePlan();
    const server = 'postgres://dr@db-2.example:5433/shop';
    const seen = { vantage: 'here', region: 'eu-west', server, ms: 12, state: null };
    const assessment: DisasterAssessment = {
      ...{ assessedAt: '', primaryDbAccessible: false, backupAccessible: false, replicaRegions: {} },
      ...{ primary, estimatedDataLoss, warnings: ['two clocks'], candidates: [], vaults: [] },
      observations: [{ ...seen, outcome: 'timed_out', reason: 'nothing came in 3000 ms' }],
    };
    const text = assessmentLines(assessment, plain).join('\n');
    assert.match(text, /^The primary is dead/);
    assert.match(text, /here +eu-west +db-2\.example:5433 +timed out: nothing came/);
    assert.match(text, /warning +two clocks/);
  });
});

describe('the documentation', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/disaster-recovery.md'), 'utf8');
  const same = (address: string) => address;
  const source = { path: 'docs', resolveStore: same, resolveVault: same };

  it('has a configuration that is one, and gives a fence that needs a lease the time for it', () => {
    const [, block] = /```yaml\n((?:primary:.*\n)?[^`]*?disaster:\n[^`]+)```/.exec(text)!;
    const section = parseConfig(block!, 'docs').disaster!;
    const storage = { retention: null, storage: 's3://x' };
    const policy = {
      primary: { ...storage, region: 'eu-central-1', schedule: null },
      replicas: [{ ...storage, region: 'eu-west-1', storage: 's3://y', syncSchedule: null }],
      archive: null,
    };
    const { disaster, warnings } = readDisaster(section, { ...source, policy });
    assert.deepEqual(warnings, []);
    const settings = recoverySettings(disaster, false);
    assert.equal(settings.maxLossBytes, 1_000_000n);
    assert.ok(settings.deadlines.fence / 4 > disaster.lease!.ttlMs + 30_000);
    assert.equal(settings.deadlines.promote, RECOVERY_SETTINGS.deadlines.promote);
  });
});
