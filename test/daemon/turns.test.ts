import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeTurns, type WantedTurn } from '../../src/daemon/turns.ts';
import { CAPS_OF_FEW, capsOfFleet } from '../../src/policy/turns.ts';

const WANTED: WantedTurn = {
  ...{ lane: 'backup', server: null, vault: 'v', cause: 'due', wantedAtMs: 0, periodMs: null, expectedMs: 0 },
};

function makeWork() {
  const ends: (() => void)[] = [];
  const work = (): Promise<string> => new Promise((resolve) => ends.push(() => resolve('done')));
  return { ends, work };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the turns of a daemon', () => {
  it('say how much waits, and why', async () => {
    const turns = makeTurns(CAPS_OF_FEW, () => 0);
    const { ends, work } = makeWork();
    const said: string[] = [];
    const options = {
      signal: new AbortController().signal,
      onWait: (reason: string) => void said.push(reason),
    };
    const all = [WANTED, WANTED, { ...WANTED, lane: 'proof' } as const].map((one) =>
      turns.take(one, options, work),
    );
    await settled();
    assert.deepEqual([ends.length, turns.waiting()], [2, 1]);
    assert.deepEqual(said, ['it waits for its turn: all 1 places for backups are taken']);
    for (const end of ends) end();
    await settled();
    assert.deepEqual([ends.length, turns.waiting()], [3, 0]);
    ends[2]!();
    assert.deepEqual(await Promise.all(all), ['done', 'done', 'done']);
  });

  it('pass on what is given up, and what fails, to who is next', async () => {
    const turns = makeTurns(CAPS_OF_FEW, () => 0);
    const { ends, work } = makeWork();
    const stop = new AbortController();
    const options = { signal: new AbortController().signal, onWait: () => undefined };
    const failing = turns.take(WANTED, options, async () => {
      await settled();
      throw new Error('failed');
    });
    const givenUp = turns.take(WANTED, { ...options, signal: stop.signal }, work);
    const last = turns.take(WANTED, options, work);
    stop.abort();
    assert.equal(await givenUp, null);
    assert.equal(await turns.take(WANTED, { ...options, signal: stop.signal }, work), null);
    await assert.rejects(failing, /failed/);
    await settled();
    assert.equal(ends.length, 1);
    ends[0]!();
    assert.equal(await last, 'done');
  });

  it('let more begin as soon as there are more places', async () => {
    const turns = makeTurns(CAPS_OF_FEW, () => 0);
    const { ends, work } = makeWork();
    const options = { signal: new AbortController().signal, onWait: () => undefined };
    const all = Array.from({ length: 9 }, () => turns.take(WANTED, options, work));
    turns.configure(capsOfFleet(8, 2, 8));
    await settled();
    assert.equal(ends.length, 5);
    for (let i = 0; i < 9; i += 1) {
      ends[i]!();
      await settled();
    }
    await Promise.all(all);
  });
});
