import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Alert, NotifierRule } from '../../src/core/alert.ts';
import type { Finding } from '../../src/core/finding.ts';
import { alertKey, type OpenAlert, type OwedNotice } from '../../src/core/monitor-state.ts';
import { alertOfNotice } from '../../src/policy/alert-text.ts';
import { decideAlerts, type LookedAt, type Observation } from '../../src/policy/alerts.ts';
import { countBlind, observeBlind } from '../../src/policy/blind.ts';
import { observe } from '../../src/policy/observe.ts';
import { settle } from '../../src/policy/owed-notices.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOTIFIERS = ['mail', 'webhook'];

/** A monitor's memory, and what its notifiers got. */
class World {
  open: readonly OpenAlert[] = [];
  owed: readonly OwedNotice[] = [];
  nowMs = Date.UTC(2026, 0, 1);
  notifiers: readonly NotifierRule[] = NOTIFIERS.map((name) => ({ name }));
  readonly got: { readonly to: string; readonly notice: OwedNotice }[] = [];
  readonly #ids = Array.from({ length: 10_000 }, (_, i) => `id-${i}`);

  run(seen: readonly Observation[], looked: LookedAt, failing: readonly string[] = []): Alert['state'][] {
    const before = this.got.length;
    const decision = decideAlerts({
      ...{ open: this.open, owed: this.owed, seen, looked, notifiers: this.notifiers },
      ...{ nowMs: this.nowMs, repeatAfterMs: DAY, newId: () => this.#ids.pop()! },
    });
    this.open = decision.open;
    const sent = decision.owed.map(({ id, to }) => ({
      id,
      to: to.filter((name) => !failing.includes(name)),
    }));
    for (const notice of decision.owed) {
      for (const to of notice.to) if (!failing.includes(to)) this.got.push({ to, notice });
    }
    this.owed = settle(decision.owed, sent);
    return this.got
      .slice(before)
      .filter(({ to }) => to === 'mail')
      .map(({ notice }) => notice.state);
  }
}

const saw = (place = 'block 1', changes: Partial<Observation> = {}): Observation => ({
  ...{ check: 'changed_events', place, severity: 'critical', findings: 1, events: 1 },
  ...changes,
});
const lookedAt = (places: readonly string[] | null, round = 1): LookedAt => ({
  wasMade: (check) => check === 'changed_events',
  places: places === null ? null : new Set(places),
  rounds: { block: round, bucket: 7 },
});

describe('alerts', () => {
  it('are raised once, repeated after a day, and resolved when their place is clean', () => {
    const world = new World();
    assert.deepEqual(world.run([saw()], lookedAt(['block 1'])), ['raised']);
    for (let hour = 1; hour < 24; hour += 1) {
      world.nowMs += HOUR;
      assert.deepEqual(world.run([saw()], lookedAt(['block 1'])), []);
    }
    world.nowMs += HOUR;
    assert.deepEqual(world.run([saw()], lookedAt(['block 1'])), ['repeated']);
    assert.deepEqual(world.run([], lookedAt(['block 1'])), ['resolved']);
    assert.deepEqual(world.run([], lookedAt(['block 1'])), []);
    const [first, , last] = world.got.filter(({ to }) => to === 'mail').map(({ notice }) => notice);
    assert.equal(last!.since, first!.since);
  });

  it('are not resolved by a sample that did not look there, nor by a check that was not made', () => {
    const world = new World();
    world.run([saw()], lookedAt(['block 1']));
    assert.deepEqual(world.run([], lookedAt(['block 2'])), []);
    assert.deepEqual(world.run([], { ...lookedAt(null), wasMade: () => false }), []);
    assert.deepEqual(world.run([], lookedAt(['block 2'], 2)), []);
    assert.deepEqual(world.run([], lookedAt(['block 2'], 3)), ['resolved']);
  });

  it('are repeated at once when they get worse, and not when they get better', () => {
    const world = new World();
    world.run([saw('block 1', { severity: 'warning', events: 9 })], lookedAt(null));
    assert.deepEqual(world.run([saw('block 1', { severity: 'warning', events: 10 })], lookedAt(null)), [
      'repeated',
    ]);
    assert.deepEqual(world.run([saw('block 1', { severity: 'warning', events: 99 })], lookedAt(null)), []);
    assert.deepEqual(world.run([saw('block 1', { events: 99 })], lookedAt(null)), ['repeated']);
    assert.deepEqual(world.run([saw('block 1', { severity: 'warning', events: 1 })], lookedAt(null)), []);
    assert.deepEqual(world.run([saw('block 1', { events: 99 })], lookedAt(null)), []);
  });

  it('are repeated though the clock was set back', () => {
    const world = new World();
    world.run([saw()], lookedAt(null));
    world.nowMs -= 10 * DAY;
    assert.deepEqual(world.run([saw()], lookedAt(null)), ['repeated']);
    assert.deepEqual(world.run([saw()], lookedAt(null)), []);
  });

  it('stay on record where nobody is to be told, and are news to whoever comes later', () => {
    const world = new World();
    world.notifiers = [];
    world.run([saw(), saw('block 2')], lookedAt(null));
    assert.equal(world.open.length, 2);
    assert.equal(world.owed.length, 0);
    world.run([saw()], lookedAt(null));
    world.notifiers = NOTIFIERS.map((name) => ({ name }));
    assert.deepEqual(world.run([saw()], lookedAt(null)), ['raised']);
    assert.deepEqual(world.run([saw()], lookedAt(null)), []);
    assert.deepEqual(world.run([], lookedAt(null)), ['resolved']);
  });

  it('wait for a notifier that fails, and for it alone', () => {
    const world = new World();
    world.run([saw()], lookedAt(null), ['webhook']);
    assert.deepEqual(
      world.owed.map(({ to }) => to),
      [['webhook']],
    );
    const [{ id }] = world.owed as [OwedNotice];
    world.run([], lookedAt(null), ['webhook']);
    world.run([], lookedAt(null));
    const told = world.got.filter(({ to }) => to === 'webhook').map(({ notice }) => notice);
    assert.deepEqual(
      told.map(({ state }) => state),
      ['raised', 'resolved'],
    );
    assert.equal(told[0]!.id, id);
  });
});

describe('a notifier that is not told of all', () => {
  const told = (world: World, name: string): string[] =>
    world.got.filter(({ to }) => to === name).map(({ notice }) => notice.state);

  it('hears of what is critical alone, from when it is, and of the end of that', () => {
    const world = new World();
    world.notifiers = [{ name: 'mail' }, { name: 'pager', criticalOnly: true }];
    world.run([saw('block 1', { severity: 'warning' }), saw('block 2')], lookedAt(null));
    assert.deepEqual(told(world, 'pager'), ['raised']);
    world.run([saw()], lookedAt(null));
    assert.deepEqual(told(world, 'pager'), ['raised', 'raised', 'resolved']);
    assert.deepEqual(told(world, 'mail'), ['raised', 'raised', 'repeated', 'resolved']);
    world.nowMs += 8 * DAY;
    world.run([saw('block 1', { severity: 'warning' })], lookedAt(null));
    assert.deepEqual(told(world, 'pager').length, 3, 'it is no longer critical');
    world.run([], lookedAt(null));
    assert.deepEqual(told(world, 'pager').at(-1), 'resolved');
  });

  it('is second in line: told of what is open for so long, once, then as the others are', () => {
    const world = new World();
    world.notifiers = [{ name: 'mail' }, { name: 'boss', afterMs: HOUR / 2 }];
    for (let minute = 0; minute < 30; minute += 1) {
      world.run([saw()], lookedAt(null));
      assert.deepEqual(told(world, 'boss'), []);
      world.nowMs += HOUR / 60;
    }
    world.run([saw()], lookedAt(null));
    world.run([saw()], lookedAt(null));
    assert.deepEqual([told(world, 'boss'), told(world, 'mail')], [['raised'], ['raised']]);
    world.nowMs += DAY - HOUR / 2;
    world.run([saw()], lookedAt(null));
    assert.deepEqual(
      [told(world, 'boss'), told(world, 'mail')],
      [
        ['raised', 'repeated'],
        ['raised', 'repeated'],
      ],
    );
    world.run([], lookedAt(null));
    assert.deepEqual(told(world, 'boss').at(-1), 'resolved');
  });

  it('does not hear of an end whose beginning it was not told', () => {
    const world = new World();
    world.notifiers = [{ name: 'mail' }, { name: 'boss', afterMs: HOUR }];
    world.run([saw()], lookedAt(null));
    world.run([], lookedAt(null));
    assert.deepEqual([told(world, 'mail'), told(world, 'boss')], [['raised', 'resolved'], []]);
  });
});

const PLACES = ['block 1', 'block 2', 'store', 'elsewhere'];
const step = fc.record({
  seen: fc.uniqueArray(
    fc.record({
      place: fc.constantFrom(...PLACES),
      severity: fc.constantFrom('critical' as const, 'warning' as const),
      events: fc.nat(200),
    }),
    { selector: ({ place }) => place },
  ),
  looked: fc.option(fc.subarray(PLACES.slice(0, 2))),
  isMade: fc.boolean(),
  failing: fc.subarray(NOTIFIERS),
  passedMs: fc.integer({ min: 0, max: 2 * DAY }),
});

describe('whatever happens', () => {
  it('each notifier hears of a beginning before its end, never of two in a row, and in the end of all', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const world = new World();
        for (const [i, { seen, looked, isMade, failing, passedMs }] of steps.entries()) {
          world.nowMs += passedMs;
          const found = seen.map(({ place, ...rest }) => saw(place, rest));
          const begun = found.filter((one) => !world.open.some((alert) => alertKey(alert) === alertKey(one)));
          const from = world.got.length;
          world.run(
            found,
            {
              wasMade: () => isMade,
              places: looked === null ? null : new Set(looked),
              rounds: { block: i, bucket: i },
            },
            failing,
          );
          for (const name of NOTIFIERS.filter((one) => !failing.includes(one))) {
            for (const one of begun) assert.ok(heard(world, from, name, one), 'what is new is told at once');
          }
          for (const [, owed] of Map.groupBy(
            world.owed.flatMap((notice) => notice.to.map((to) => `${to} ${alertKey(notice)}`)),
            (key) => key,
          )) {
            assert.ok(owed.length <= 2);
          }
        }
        world.run([], lookedAt(null, 100));
        assert.deepEqual([world.open, world.owed], [[], []]);
        assertSense(world);
      }),
      { numRuns: 300 },
    );
  });

  it('what goes on unchanged is told no more often than it is to be repeated', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(DAY), { maxLength: 50 }), (waits) => {
        const world = new World();
        const from = world.nowMs;
        for (const ms of waits) {
          world.nowMs += ms;
          world.run([saw()], lookedAt(null));
        }
        assert.ok(world.got.length / NOTIFIERS.length <= 1 + (world.nowMs - from) / DAY);
      }),
    );
  });
});

function heard({ got }: World, from: number, name: string, one: Observation): boolean {
  return got.slice(from).some(({ to, notice }) => to === name && alertKey(notice) === alertKey(one));
}

function assertSense({ got }: World): void {
  for (const [, told] of Map.groupBy(got, ({ to, notice }) => `${to} ${alertKey(notice)}`)) {
    let isOpen = false;
    for (const { notice } of told) {
      assert.equal(isOpen, notice.state !== 'raised', told.map((one) => one.notice.state).join(' '));
      isOpen = notice.state !== 'resolved';
    }
    assert.equal(isOpen, false);
  }
  assert.equal(new Set(got.map(({ to, notice }) => `${to} ${notice.id}`)).size, got.length);
}

const finding = (changes: Partial<Finding> = {}): Finding => ({
  ...{
    check: 'changed_events',
    rung: 'comparison',
    severity: 'damage',
    streamId: 'cart-secret',
    version: '3',
  },
  ...{ eventId: 'e-secret', object: null, events: 2, place: { kind: 'block', number: 7 } },
  ...{ message: 'cart-secret has changed', repair: null },
  ...changes,
});

describe('what is observed', () => {
  it('is counted by check and place, and an object is known by its digest', () => {
    const seen = observe(
      [
        finding({ severity: 'risk' }),
        finding(),
        finding({ check: 'guards', place: null, object: 'trigger_x', events: 0 }),
        finding({ check: 'unique', place: null }),
      ],
      [],
      (name) => `<${name.length}>`,
    );
    assert.deepEqual(seen, [
      { check: 'changed_events', place: 'block 7', severity: 'critical', findings: 2, events: 4 },
      { check: 'guards', place: 'object <9>', severity: 'critical', findings: 1, events: 0 },
      { check: 'unique', place: 'store', severity: 'critical', findings: 1, events: 2 },
    ]);
  });

  it('is told by place for the first three, and what is open stays among them', () => {
    const all = Array.from({ length: 100 }, (_, number) => finding({ place: { kind: 'block', number } }));
    const world = new World();
    world.run(observe(all, [], String), lookedAt(null));
    assert.equal(world.open.length, 4);
    assert.equal(world.open.find(({ place }) => place === 'elsewhere')!.findings, 97);
    const reversed = world.run(observe(all.toReversed(), world.open, String), lookedAt(null));
    assert.deepEqual(reversed, []);
    assert.deepEqual(world.run(observe(all.slice(0, 3), world.open, String), lookedAt(null)), ['resolved']);
  });
});

describe('blindness', () => {
  it('is told after as many runs in a row as its cause allows', () => {
    let counts = countBlind([], { blind: ['store', 'check unique'], clear: ['vault'] });
    assert.deepEqual(observeBlind(counts), []);
    counts = countBlind(counts, { blind: ['store'], clear: [] });
    assert.deepEqual(
      observeBlind(counts).map(({ place }) => place),
      ['store'],
    );
    counts = countBlind(counts, { blind: ['check unique'], clear: ['store'] });
    counts = countBlind(counts, { blind: ['check unique'], clear: ['store'] });
    assert.deepEqual(
      observeBlind(counts).map(({ place }) => place),
      ['check unique'],
    );
    assert.deepEqual(countBlind(counts, { blind: [], clear: ['check unique'] }), []);
  });
});

describe('the words of an alert', () => {
  it('name the check, the place and the way out, and no stream', () => {
    const [seen] = observe([finding()], [], String);
    const world = new World();
    world.run([seen!], lookedAt(null));
    world.run([], lookedAt(null));
    const subject = { subject: 'sqlite:./events.db', details: new Map() };
    const texts = world.got.map(({ notice }) => JSON.stringify(alertOfNotice(notice, subject)));
    assert.match(texts[0]!, /damage: changed_events, in block 7 of the sweep/);
    assert.match(texts[0]!, /1 finding, about 2 events.*eventcore monitor --once/);
    assert.match(texts.at(-1)!, /over: changed_events/);
    for (const text of texts) assert.ok(!text.includes('secret'));
  });
});
