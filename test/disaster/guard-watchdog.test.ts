import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLOSED_LINE, openLine, readLine, runWatchdog } from '../../src/disaster/guard-watchdog.ts';
import { isOpen, memoryServer } from '../harness/memory-server.ts';

const LIMITS = { fenceMs: 50, slackMs: 20 };

/** A watchdog that is told by `say`, and left alone by `die`. */
function start() {
  const server = memoryServer('postgres://a/events');
  const waiting: string[] = [];
  const state = { isGone: false, wake: (): void => undefined };
  async function* lines(): AsyncGenerator<string> {
    for (;;) {
      for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) yield line;
      if (state.isGone) return;
      await new Promise<void>((resolve) => {
        state.wake = resolve;
      });
    }
  }
  const told: string[] = [];
  const steadyMs = (): number => performance.now();
  const run = runWatchdog(
    { server: server.server, postmaster: null, tell: (text) => told.push(text), lines: lines(), steadyMs },
    LIMITS,
  );
  return {
    ...{ server, told, run },
    say: (line: string) => {
      waiting.push(line);
      state.wake();
    },
    die: () => {
      state.isGone = true;
      state.wake();
    },
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe('the watchdog of a guard', { concurrency: true }, () => {
  it('closes the server at once when the guard is gone while it is open', async () => {
    const { server, say, die, run } = start();
    say(openLine(performance.now() + 60_000));
    await sleep(30);
    assert.ok(isOpen(server));
    die();
    await run;
    assert.ok(!isOpen(server));
  });

  it('leaves a server alone that was closed when the guard went', async () => {
    const { server, say, die, run } = start();
    say(openLine(performance.now() + 60_000));
    say(CLOSED_LINE);
    die();
    await run;
    assert.deepEqual(server.calls, []);
  });

  it('closes it when the time is over and the guard has said nothing, and not when it has', async () => {
    const { server, told, say, die, run } = start();
    for (let i = 0; i < 5; i += 1) {
      say(openLine(performance.now() + 40));
      await sleep(30);
      assert.ok(isOpen(server));
    }
    await sleep(150);
    assert.ok(!isOpen(server));
    assert.match(told[0]!, /the guard is held up/);
    say(CLOSED_LINE);
    die();
    await run;
    assert.equal(server.calls.filter((call) => call === 'fence').length, 1);
  });

  it('tries until it is done, also when nobody is there to be told', async () => {
    const { server, say, die, run } = start();
    server.manner = 'away';
    say(openLine(performance.now() + 10));
    die();
    await sleep(100);
    server.manner = 'well';
    await run;
    assert.ok(!isOpen(server));
  });

  it('reads what a guard writes, and nothing else', () => {
    assert.equal(readLine(openLine(123_456.789)), 123_456.789);
    assert.equal(readLine(CLOSED_LINE), null);
    for (const line of ['', 'open', 'open x', 'open 1e9', 'open -1', 'closed ', 'open 1 2']) {
      assert.equal(readLine(line), undefined, line);
    }
  });
});
