/** Records of a recovery of version 1, written once and never changed: each later program must read them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { NO_TRUST_POLICY } from '../../src/core/trust.ts';
import {
  encodeEntry,
  entryName,
  findEntrySignature,
  listRuns,
  readJournal,
} from '../../src/format/disaster-journal.ts';
import { findOutcomeSignature, readOutcome } from '../../src/format/disaster-outcome.ts';
import { encodePlan, findPlanSignature, listPlans, readPlan } from '../../src/format/disaster-plan.ts';
import { encodePrimary, readNewestPrimary } from '../../src/format/disaster-primary.ts';
import { encodeSample, readNewestSamples, sampleName } from '../../src/format/disaster-sample.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { samplePlan, samplePosition } from '../harness/sample-disaster.ts';

const FOLDER = join(import.meta.dirname, '../vectors/v1/recovery');
const expected: { signer: string; lastDigest: string } = JSON.parse(
  readFileSync(join(FOLDER, 'expected.json'), 'utf8'),
);
const bytesOf = (name: string): Buffer => readFileSync(join(FOLDER, name));

describe('the golden records of a recovery', async () => {
  const vault = openDirectoryVault(FOLDER);
  await vault.open({ create: false });
  const { planId } = samplePlan();
  const signed = { state: 'signed', signer: expected.signer };

  it('have two plans, one of them signed', async () => {
    const [first, second] = await listPlans(vault);
    assert.equal(first!.planId, planId);
    const { plan, digest } = (await readPlan(vault, planId))!;
    assert.deepEqual(findPlanSignature(plan, NO_TRUST_POLICY), signed);
    assert.match(plan.reasons[0]!, /„Zeit“/);
    const journal = await readJournal(vault, { planId, digest });
    assert.equal(journal.broken, null);
    const restore = (await readPlan(vault, second!.planId))!.plan;
    assert.deepEqual(restore.strategy, { kind: 'local_restore' });
    assert.equal(findPlanSignature(restore, NO_TRUST_POLICY).state, 'unsigned');
    assert.deepEqual(encodePlan(restore, null), bytesOf(second!.name));
  });

  it('have a journal of seven entries that follow one another, of which four are signed', async () => {
    assert.deepEqual(await listRuns(vault), [planId]);
    const { digest } = (await readPlan(vault, planId))!;
    const journal = await readJournal(vault, { planId, digest });
    assert.equal(journal.digest, expected.lastDigest);
    assert.deepEqual(
      journal.entries.map(({ kind, step, epoch }) => `${kind} ${step} ${epoch}`),
      [
        ...['approved null 7', 'intent freeze 7', 'done freeze 7', 'failed fence 7', 'resumed null 8'],
        ...['skipped restore 8', 'ended null 8'],
      ],
    );
    assert.deepEqual(journal.entries[2]!.facts, {
      ...{ vaults: 3, lsn: '0/5A3F2C8', share: 0.5, sure: false, until: null },
    });
    for (const entry of journal.entries) {
      const state = entry.number <= 4 ? 'signed' : 'unsigned';
      assert.equal(findEntrySignature(entry, NO_TRUST_POLICY).state, state);
      if (state === 'unsigned') assert.deepEqual(encodeEntry(entry, null), bytesOf(entryName(entry)));
    }
  });

  it('have an outcome, samples, and the newest primary', async () => {
    const outcome = (await readOutcome(vault, planId))!;
    assert.deepEqual(findOutcomeSignature(outcome, NO_TRUST_POLICY), signed);
    assert.deepEqual([outcome.state, outcome.timeline.length, outcome.unprotectedMs], ['in_part', 7, null]);
    const samples = await readNewestSamples(vault, 5);
    assert.deepEqual(
      samples.map(({ position, eventsInserted }) => [position, eventsInserted]),
      [
        ['0/5A3F2C8', 120_000],
        ['A/5A3F2C8', null],
      ],
    );
    for (const sample of samples) assert.deepEqual(encodeSample(sample), bytesOf(sampleName(sample)));
    assert.equal(sampleName(samplePosition()), 'disaster/samples/20261129T030405678Z-600fd2d4.json');
    const { record, number } = await readNewestPrimary(vault);
    assert.deepEqual([number, record!.epoch, record!.server], [2, 9, 'sqlite:/srv/shop.db']);
    assert.deepEqual(encodePrimary(record!), bytesOf('disaster/primaries/00002.json'));
  });
});
