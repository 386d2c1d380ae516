import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { verificationAge } from '../../src/policy/verification-age.ts';
import type { UnitFacts } from '../../src/policy/verified-memory.ts';
import { planShare } from '../../src/policy/verify-share.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 29, 14, 30);

function unit(name: string, changes: Partial<UnitFacts> = {}): UnitFacts {
  const place = { name, backup: null, sizeBytes: 100, writtenAtMs: NOW - 100 * HOUR };
  return { ...place, verifiedAtMs: null, isSound: null, passed: [], ...changes };
}

function taken(
  units: readonly UnitFacts[],
  share: number | null,
  notSinceMs: number | null = null,
): string[] {
  const plan = planShare(units, { share, notSinceMs, nowMs: NOW });
  return plan.units.filter(({ kept }) => kept).map(({ item }) => item.name);
}

const hoursAgo = (hours: number): Partial<UnitFacts> => ({ verifiedAtMs: NOW - hours * HOUR, isSound: true });

describe('the share of a vault that a run verifies', () => {
  it('has what never was verified first, then what was longest ago, and says so', () => {
    const units = [unit('a', hoursAgo(1)), unit('b', hoursAgo(50)), unit('c'), unit('d', hoursAgo(9))];
    assert.deepEqual(taken(units, 0.5), ['b', 'c']);
    const { units: decided } = planShare(units, { share: 0.5, notSinceMs: null, nowMs: NOW });
    assert.deepEqual(
      decided.map(({ reasons }) => reasons[0]),
      [
        'the share is reached without it',
        'verified 2d ago',
        'never verified',
        'the share is reached without it',
      ],
    );
  });

  it('is at least one thing, and nothing of nothing', () => {
    assert.deepEqual(taken([unit('a'), unit('b')], 0.001), ['a']);
    assert.deepEqual(taken([unit('a', { sizeBytes: 0 })], 0.001), ['a']);
    assert.deepEqual(taken([], 0.5), []);
  });

  it('has a backup whole that is no larger than it, and of a larger one as much as it takes', () => {
    const of = (backup: string, count: number): UnitFacts[] =>
      Array.from({ length: count }, (_, i) => unit(`${backup}/${i}`, { backup, writtenAtMs: NOW - count }));
    assert.deepEqual(taken([...of('small', 2), ...of('large', 8)], 0.3), ['large/0', 'large/1', 'large/2']);
    const verified = of('large', 8).map((file) => ({ ...file, ...hoursAgo(5) }));
    assert.deepEqual(taken([...of('small', 2), ...verified], 0.2), ['small/0', 'small/1']);
  });

  it('leaves out what was found sound lately, never what was found unsound', () => {
    const units = [
      unit('a', hoursAgo(1)),
      unit('b', { ...hoursAgo(1), isSound: false }),
      unit('c', hoursAgo(13)),
    ];
    assert.deepEqual(taken(units, null, 12 * HOUR), ['b', 'c']);
    assert.deepEqual(taken(units, null), ['a', 'b', 'c']);
  });

  const sizes = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 30 });
  const shares = fc.integer({ min: 1, max: 100 }).map((percent) => percent / 100);
  const backupOf = (place: number): string | null => (place % 3 === 0 ? null : `backup-${place % 4}`);

  it('is reached, and is passed by no more than one thing of at most its size, or one file', () => {
    fc.assert(
      fc.property(sizes, shares, (lengths, share) => {
        const units = lengths.map((sizeBytes, i) => unit(`${i}`, { sizeBytes, backup: backupOf(i) }));
        const plan = planShare(units, { share, notSinceMs: null, nowMs: NOW });
        const budget = share * plan.totalBytes;
        assert.ok(plan.takenBytes >= budget || plan.units.every(({ kept }) => kept));
        assert.ok(plan.takenBytes <= budget + Math.max(budget, ...lengths));
        assert.ok(plan.units.some(({ kept }) => kept));
      }),
    );
  });

  it('comes round to everything, whatever new backups come meanwhile', () => {
    fc.assert(
      fc.property(
        sizes,
        shares,
        fc.array(sizes, { minLength: 1, maxLength: 8 }),
        (lengths, share, arrivals) => {
          let units = lengths.map((sizeBytes, i) => unit(`${i}`, { sizeBytes, backup: backupOf(i) }));
          const old = new Set(units.map(({ name }) => name));
          const rounds = Math.ceil(1 / share) + 1;
          for (let round = 1; round <= rounds; round += 1) {
            const nowMs = NOW + round * HOUR;
            const come = arrivals[round % arrivals.length]!.map((sizeBytes, i) =>
              unit(`${round}-${i}`, { sizeBytes, writtenAtMs: nowMs, backup: `new-${round}` }),
            );
            const plan = planShare([...units, ...come], { share, notSinceMs: null, nowMs });
            units = plan.units.map(({ kept, item }) =>
              kept ? { ...item, verifiedAtMs: nowMs, isSound: true } : item,
            );
          }
          for (const { name, verifiedAtMs } of units) if (old.has(name)) assert.notEqual(verifiedAtMs, null);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('comes round again and again where no more comes than half of it', () => {
    fc.assert(
      fc.property(sizes, shares, (lengths, share) => {
        let units = lengths.map((sizeBytes, i) => unit(`${i}`, { sizeBytes: sizeBytes + 1, ...hoursAgo(1) }));
        const rounds = 2 * Math.ceil(1 / share) + 2;
        for (let round = 1; round <= rounds; round += 1) {
          const nowMs = NOW + round * HOUR;
          const totalBytes = units.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
          const sizeBytes = Math.floor((share * totalBytes) / 2);
          const come = unit(`new-${round}`, { sizeBytes, writtenAtMs: nowMs });
          const plan = planShare([...units, come], { share, notSinceMs: null, nowMs });
          units = plan.units.map(({ kept, item }) =>
            kept ? { ...item, verifiedAtMs: nowMs, isSound: true } : item,
          );
        }
        for (const { name, verifiedAtMs } of units.slice(0, lengths.length))
          assert.ok(verifiedAtMs! > NOW, `${name} of ${lengths.length} was never verified again`);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the age of verification', () => {
  it('is that of what was longest ago, counted from when it was written where it never was verified', () => {
    const units = [
      unit('a', { ...hoursAgo(1), passed: ['existence', 'size', 'checksum'] }),
      unit('b', { writtenAtMs: NOW - 7 * HOUR }),
      unit('c', { ...hoursAgo(5), passed: ['existence', 'size'] }),
    ];
    const { proven, ...age } = verificationAge(units, NOW);
    assert.deepEqual(age, { oldestMs: 7 * HOUR, oldest: 'b', never: 1, unsound: [], units: 3 });
    assert.deepEqual(
      proven.map(({ rung, units }) => `${rung} ${units}`),
      ['existence 2', 'size 2', 'checksum 1'],
    );
  });

  it('comes with what was found unsound, each backup once', () => {
    const unsound = { ...hoursAgo(1), isSound: false };
    const of = (backup: string, file: string) => unit(`${backup}${file}`, { ...unsound, backup });
    const units = [of('one/', 'a'), of('one/', 'b'), unit('x.log', unsound), unit('c', hoursAgo(1))];
    assert.deepEqual(verificationAge(units, NOW).unsound, ['one/', 'x.log']);
  });

  it('is none where nothing is', () => {
    assert.equal(verificationAge([], NOW).oldestMs, null);
  });
});
