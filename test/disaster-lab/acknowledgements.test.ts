import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handovers, makeAckLog, settle, writersAtOnce } from './acknowledgements.ts';

function logOf(...events: readonly [id: string, sentAtMs: number, ackedAtMs: number | null][]) {
  let nowMs = 0;
  const log = makeAckLog(() => nowMs);
  const acks: [number, () => void][] = [];
  for (const [id, sentAtMs, ackedAtMs] of events) {
    nowMs = sentAtMs;
    const acknowledge = log.send(id, 'east');
    if (ackedAtMs !== null) acks.push([ackedAtMs, acknowledge]);
  }
  for (const [ackedAtMs, acknowledge] of acks) {
    nowMs = ackedAtMs;
    acknowledge();
  }
  return log.all;
}

test('lost is what was acknowledged and is not there, in doubt what is there and was not acknowledged', () => {
  const sent = logOf(['a', 0, 1], ['b', 1, 2], ['c', 2, 7], ['d', 3, null], ['e', 3, null]);
  const { lostIds, ...account } = settle(sent, new Set(['a', 'b', 'd']));
  assert.deepEqual(lostIds, ['c']);
  assert.deepEqual(account, { acked: 3, lost: 1, inDoubt: 1, rpoMs: 5 });
});

test('what is kept although it was acknowledged after what is lost makes the lost time no shorter', () => {
  const sent = logOf(['a', 0, 1], ['b', 1, 10], ['c', 2, 20]);
  assert.equal(settle(sent, new Set(['a', 'c'])).rpoMs, 9);
});

test('nothing is lost where everything is there', () => {
  const { rpoMs, lost } = settle(logOf(['a', 0, 1], ['b', 1, 2]), new Set(['a', 'b']));
  assert.deepEqual([rpoMs, lost], [0, 0]);
});

test('when all is lost the time counts from the first acknowledgement', () => {
  assert.equal(settle(logOf(['a', 0, 1], ['b', 1, 4]), new Set()).rpoMs, 3);
});

const write = (server: string, ackedAtMs: number) => ({ server, sentAtMs: ackedAtMs - 1, ackedAtMs });

test('a handover takes from the last acknowledgement of one server to the first one of the next', () => {
  const taken = [write('east', 1), write('east', 5), write('west', 9), write('west', 12)];
  assert.deepEqual(handovers(taken), [{ from: 'east', to: 'west', gapMs: 4 }]);
  assert.equal(writersAtOnce(taken), 1);
});

test('a server that takes a write after another one did is a second writer, however short', () => {
  const taken = [write('east', 1), write('west', 9), write('west', 12), write('east', 10)];
  assert.deepEqual(handovers(taken), [{ from: 'east', to: 'west', gapMs: -1 }]);
  assert.equal(writersAtOnce(taken), 2);
});

test('two servers that write at the very same instant are two writers', () => {
  assert.equal(writersAtOnce([write('east', 5), write('west', 5)]), 2);
});
