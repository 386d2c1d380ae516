import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ChildMessage } from '../../src/cli/children/messages.ts';
import { readMessages } from '../../src/cli/children/messages.ts';
import { makeParent, tellProgress } from '../../src/cli/children/parent.ts';

function makeChannel(isSlow = false) {
  const sent: (readonly ChildMessage[])[] = [];
  const waiting: (() => void)[] = [];
  const parent = makeParent((messages, done) => {
    sent.push(messages);
    if (isSlow) waiting.push(done);
    else queueMicrotask(done);
  });
  return { parent, sent, take: () => waiting.shift()?.() };
}

function reach(until: string): ChildMessage {
  return { kind: 'log', log: 'log/a/ 0', until };
}

describe('what a command says to the daemon', () => {
  it('is said at once, then no more than twice a second, and the newest then', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const { parent, sent } = makeChannel();
    for (let i = 0; i < 100; i += 1) parent.tell(reach(`${i}`));
    assert.deepEqual(sent, [[reach('0')]]);
    await Promise.resolve();
    context.mock.timers.tick(500);
    assert.deepEqual(sent, [[reach('0')], [reach('99')]]);
    context.mock.timers.tick(10_000);
    assert.equal(sent.length, 2);
    parent.tell(reach('last'));
    parent.tell(reach('the very last'));
    await Promise.resolve();
    parent.end();
    assert.deepEqual(sent.at(-1), [reach('the very last')]);
  });

  it('waits for a daemon that does not read, and piles up nothing', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const { parent, sent, take } = makeChannel(true);
    for (let i = 0; i < 20; i += 1) {
      parent.tell(reach(`${i}`));
      context.mock.timers.tick(500);
    }
    assert.equal(sent.length, 1);
    take();
    context.mock.timers.tick(500);
    assert.deepEqual(sent, [[reach('0')], [reach('19')]]);
  });

  it('is taken for nothing where it is something else', () => {
    assert.deepEqual(readMessages([reach('now')]), [reach('now')]);
    for (const value of [
      null,
      'text',
      [{ kind: 'progress' }],
      [{ kind: 'other' }],
      Array(11).fill(reach('x')),
    ])
      assert.deepEqual(readMessages(value), []);
  });

  it('has the step that it is in, and since when', () => {
    const told: ChildMessage[] = [];
    let nowMs = 1000;
    const progress = tellProgress(
      { tell: (message) => told.push(message), end: () => undefined },
      () => nowMs,
    );
    progress.step('reading events');
    nowMs = 3000;
    progress.update({ events: 7, bytes: 70, totalEvents: 10, totalBytes: null });
    const said = told.at(-1);
    assert.deepEqual(said?.kind === 'progress' && said.progress, {
      ...{ step: 'reading events', events: 7, bytes: 70, totalEvents: 10, totalBytes: null },
      ...{ sinceMs: 1000, atMs: 3000 },
    });
  });
});
