import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JournalEntry, StepFacts } from '../../src/core/disaster.ts';
import { readRunState } from '../../src/disaster/run-state.ts';
import { consumerLines, ghostFacts, recoveryOf } from '../../src/disaster/vanished.ts';
import { samplePlan } from '../harness/sample-disaster.ts';

function done(step: JournalEntry['step'], facts: StepFacts, at = '2026-11-29T03:04:05.678Z'): JournalEntry {
  return {
    planId: '',
    number: 1,
    epoch: 1,
    at,
    actor: 'me',
    kind: 'done',
    step,
    text: '',
    facts,
    previous: '',
  };
}

const linesOf = (...entries: JournalEntry[]) => consumerLines(readRunState(entries));

describe('what consumers are told', () => {
  it('is how many events vanished, and where they are listed', () => {
    const facts = {
      vanished: 12,
      'epochRecord.1': 'epochs/epoch-a.json',
      'epochRecord.2': 'epochs/epoch-b.json',
    };
    assert.deepEqual(linesOf(done('salvage', facts)), [
      '12 events vanished: consumers compare with epochs/epoch-a.json, epochs/epoch-b.json',
    ]);
    assert.deepEqual(linesOf(done('restore', { vanished: 1, epochRecord: 'epochs/epoch-c.json' })), [
      '1 event vanished: consumers compare with epochs/epoch-c.json',
    ]);
  });

  it('is nothing where none has vanished', () => {
    assert.deepEqual(
      linesOf(done('salvage', { vanished: 0, ...ghostFacts([]) }), done('restore', { vanished: null })),
      [],
    );
  });

  it('names consumers that have seen what is no more, so many of them', () => {
    assert.deepEqual(linesOf(done('salvage', { vanished: 0, ...ghostFacts(['billing', 'mail']) })), [
      '2 checkpoints at events that are not there: their consumers (billing, mail) have seen what is no more',
    ]);
    const many = ghostFacts(Array.from({ length: 12 }, (_, i) => `c${i}`));
    assert.match(linesOf(done('salvage', many))[0]!, /^12 checkpoints .*\(c0, .*c9, …\)/);
  });
});

it('a record says when the new primary took over and where it left the old timeline, or that it was restored', () => {
  const promoted = readRunState([done('promote', { forkLsn: '0/5A3F2C8' }, '2026-11-29T03:04:09.000Z')]);
  assert.deepEqual(recoveryOf(samplePlan(), promoted), {
    ...{ strategy: 'regional_failover', recoveredAt: '2026-11-29T03:04:09.000Z', cutLsn: '0/5A3F2C8' },
  });
  const restored = readRunState([done('restore', {}, '2026-11-29T03:04:10.000Z')]);
  assert.deepEqual(recoveryOf(samplePlan({ strategy: { kind: 'local_restore' } }), restored), {
    ...{ strategy: 'local_restore', recoveredAt: '2026-11-29T03:04:10.000Z', cutLsn: null },
  });
});
