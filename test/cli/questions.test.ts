import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertQuestion } from '../../src/cli/serve/question-words.ts';
import { makeQuestions, type Said } from '../../src/cli/serve/questions.ts';
import type { Question } from '../../src/console/ports.ts';

function makeWorld(sizeBytes = 100) {
  const world = { nowMs: 0, isPatient: true, begun: [] as string[] };
  const open: { key: string; end: (said: Said) => void }[] = [];
  const questions = makeQuestions({
    assertQuestion,
    now: () => world.nowMs,
    // Whoever is patient waits until the signal says that there is an answer.
    pause: (_ms, signal) =>
      world.isPatient
        ? new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
        : Promise.resolve(),
    run: ({ store, words }) => {
      const key = `${store}: ${words.join(' ')}`;
      if (key.includes('\0')) return Promise.reject(new TypeError('a zero byte'));
      world.begun.push(key);
      return new Promise((resolve) => open.push({ key, end: (said) => resolve({ said, sizeBytes }) }));
    },
  });
  const ask = (words: string[], more: Partial<Question> = {}) =>
    questions.ask({ store: 'shop', words, maxAgeMs: 60_000, ...more });
  const answer = (said: Said = answered('yes')): void => open.shift()?.end(said);
  return { world, questions, ask, answer, waiting: () => open.length };
}

function answered(document: unknown): Said {
  return { state: 'answered', document, exitCode: 0 };
}

const FAILED: Said = { state: 'failed', code: 'vault_unreachable', message: 'away', hint: null, facts: {} };
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a question of the console', () => {
  it('is asked once by many at a time, and again when the answer is too old', async () => {
    const { world, ask, answer } = makeWorld();
    const all = Array.from({ length: 50 }, () => ask(['list']));
    await turn();
    answer();
    const answers = await Promise.all(all);
    assert.deepEqual(
      new Set(answers.map((one) => one.state === 'answered' && one.document)),
      new Set(['yes']),
    );
    world.nowMs = 60_000;
    assert.equal((await ask(['list'])).state, 'answered');
    assert.equal(world.begun.length, 1);
    world.nowMs = 60_001;
    const again = ask(['list']);
    await turn();
    answer(answered('other'));
    assert.deepEqual(await again, { ...answered('other'), atMs: 60_001 });
  });

  it('that takes long is said to be asked, then an older answer is given until there is a new one', async () => {
    const { world, ask, answer } = makeWorld();
    world.isPatient = false;
    assert.deepEqual(await ask(['list']), { state: 'asking', sinceMs: 0 });
    await turn();
    answer();
    await turn();
    world.nowMs = 100_000;
    assert.deepEqual(await ask(['list']), { ...answered('yes'), atMs: 0 });
    world.nowMs = 301_000;
    assert.equal((await ask(['list'])).state, 'asking');
  });

  it('waits behind two others, and is told to come again where too many wait', async () => {
    const { world, questions, ask, answer } = makeWorld();
    const asked = Array.from({ length: 18 }, (_, i) => ask(['show', `${i}`]));
    await turn();
    assert.equal(world.begun.length, 2);
    assert.equal(questions.waiting(), 16);
    assert.deepEqual(await ask(['list']), { state: 'busy' });
    for (let i = 0; i < 18; i += 1) {
      answer();
      await turn();
    }
    await Promise.all(asked);
    assert.equal(world.begun.length, 18);
    const one = ask(['list']);
    await turn();
    answer();
    assert.equal((await one).state, 'answered');
  });

  it('that failed is asked again soon', async () => {
    const { world, ask, answer } = makeWorld();
    const first = ask(['list']);
    await turn();
    answer(FAILED);
    assert.deepEqual(await first, { ...FAILED, atMs: 0 });
    world.nowMs = 10_001;
    void ask(['list']);
    await turn();
    assert.equal(world.begun.length, 2);
  });

  it('that cannot be asked takes nobody else the turn', async () => {
    const { ask, answer } = makeWorld();
    for (let i = 0; i < 5; i += 1) assert.equal((await ask(['show', `\0${i}`])).state, 'failed');
    const next = ask(['list']);
    await turn();
    answer();
    assert.equal((await next).state, 'answered');
  });

  it('is forgotten when something happens to its store, and what is on its way then is not kept', async () => {
    const { world, questions, ask, answer } = makeWorld();
    const first = ask(['list']);
    await turn();
    questions.forget('shop');
    answer(answered('old'));
    assert.equal((await first).state, 'answered');
    const second = ask(['list']);
    await turn();
    answer(answered('new'));
    assert.deepEqual(await second, { ...answered('new'), atMs: 0 });
    questions.forget('shop2');
    assert.equal((await ask(['list'])).state, 'answered');
    assert.equal(world.begun.length, 2);
  });

  it('is kept as long as there is room: the one that was used last', async () => {
    const { world, ask, answer } = makeWorld(3 << 20);
    for (const id of ['a', 'b', 'c']) {
      const one = ask(['show', id]);
      await turn();
      answer();
      await one;
    }
    await ask(['show', 'c']);
    assert.equal(world.begun.length, 3);
    void ask(['show', 'a']);
    await turn();
    assert.equal(world.begun.length, 4);
  });

  it('may change nothing', () => {
    const allowed = [
      ['list'],
      ['restore', '--dry-run', '--to', 'sqlite:x.db', '--at=2026-11-29T10:00:00Z'],
      ['show', 'abc', '--stream=--vault=s3://other'],
      ['monitor', '--history', '--last', '5'],
    ];
    for (const words of allowed) assertQuestion(words);
    const refused = [
      ['restore', '--to', 'sqlite:x.db'],
      ['prune', '--apply'],
      ['monitor', '--once'],
      ['monitor', '--history', '--repair', '--apply'],
      ['dr', 'execute', 'x'],
      ['dr', 'plan', '--trigger', 'region_outage'],
      ['verify'],
      ['list', '--vault=s3://other'],
      ['show', '--config'],
      ['drill'],
      [],
    ];
    for (const words of refused)
      assert.throws(() => assertQuestion(words), /question|asked/, words.join(' '));
  });
});
