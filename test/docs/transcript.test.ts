import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findStandIns, isShown, readSteps, writeSteps } from './transcript.ts';

describe('a block of a terminal', () => {
  const block =
    "$ one --flag\n  printed\n\n  more\n$ two \\\n  --long\n$ cat <<'END' > file\n$ no command\nEND\nsaid\n";

  it('is commands with what they print', () => {
    assert.deepEqual(readSteps(block), [
      { command: 'one --flag', output: '  printed\n\n  more' },
      { command: 'two \\\n  --long', output: '' },
      { command: "cat <<'END' > file\n$ no command\nEND", output: 'said' },
    ]);
  });

  it('is written as it was read', () => assert.equal(writeSteps(readSteps(block)), block));

  it('begins with a command', () => assert.throws(() => readSteps('printed\n$ one\n')));
});

describe('what was seen', () => {
  it('may differ in ids, times, sizes, durations, rates, versions and spaces', () => {
    for (const [shown, seen] of [
      ['backup  e1c7d12a-af57-48c6-a6fe-2879a6961a1e', 'backup 3f2a9c1e-0000-48c6-a6fe-2879a6961a1e'],
      ['e1c7d12a  sound  712.8 kB  204 ms', 'aaaaaaaa sound 1,024 B 1.5 s'],
      ['state of 2026-11-24 13:46:57 UTC', 'state of 2027-01-02 03:04:05.123 UTC'],
      ['in 1 min 3 s, 18,519 events/s', 'in 59 s, 7 events/s'],
      ['on PostgreSQL 15.18 at 0/1A2B3C4', 'on PostgreSQL 18 at A/0'],
    ] as const) {
      assert.ok(isShown(shown, seen), `${shown} / ${seen}`);
    }
  });

  it('may not differ in anything else', () => {
    for (const [shown, seen] of [
      ['10,000 events in 1,099 streams', '10,001 events in 1,099 streams'],
      ['sound', 'damaged'],
      ['one\ntwo', 'one'],
      ['one', 'one\ntwo'],
      ['', 'error: no'],
      ['state of 2026-11-24 13:46:57 UTC', 'state of yesterday'],
    ] as const) {
      assert.ok(!isShown(shown, seen), `${shown} / ${seen}`);
    }
  });

  it('may be anything where three dots stand: in a line, or for lines', () => {
    assert.ok(isShown('slot … at …', 'slot a_b at 7'));
    assert.ok(!isShown('slot …', 'no slot'));
    assert.ok(isShown('one\n  …\nlast', 'one\ntwo\nthree\nlast'));
    assert.ok(isShown('one\n…', 'one'));
    assert.ok(!isShown('one\n…\nlast', 'one\ntwo'));
  });
});

describe('what was seen where something else is shown', () => {
  it('is what later commands mean: ids, long and short, times and positions', () => {
    const shown = 'backup e1c7d12a-af57-48c6-a6fe-2879a6961a1e at 0/1A2B, 2026-11-24T13:46:57Z';
    const seen = 'backup 3f2a9c1e-0000-48c6-a6fe-2879a6961a1e at 7/F, 2027-01-02T03:04:05Z';
    assert.deepEqual(findStandIns(shown, seen), [
      { shown: 'e1c7d12a-af57-48c6-a6fe-2879a6961a1e', real: '3f2a9c1e-0000-48c6-a6fe-2879a6961a1e' },
      { shown: 'e1c7d12a', real: '3f2a9c1e' },
      { shown: '2026-11-24T13:46:57Z', real: '2027-01-02T03:04:05Z' },
      { shown: '0/1A2B', real: '7/F' },
    ]);
  });

  it('is not guessed where some of it is left out', () => {
    assert.deepEqual(findStandIns('e1c7d12a\n…', '3f2a9c1e\n4b5c6d7e'), []);
  });
});
