import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { commandFence } from '../../src/actions/fences/command.ts';
import { commandHook } from '../../src/actions/hooks/command.ts';
import { commandName } from '../../src/actions/names/command.ts';
import { hideSecrets, type OwnCommand, showCommand } from '../../src/actions/run-command.ts';
import { commandScaler } from '../../src/actions/scale/command.ts';
import { type BackupError, type ErrorCode, isBackupError } from '../../src/core/errors.ts';

const SECRET = 'c4n4ry-c0mm4nd';
const folder = mkdtempSync(join(tmpdir(), 'eventcore-actions-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const own = (argv: readonly string[]): OwnCommand => ({
  ...{ argv, cwd: folder, facts: { region: 'east' } },
  env: { PATH: process.env.PATH, AWS_SECRET_ACCESS_KEY: SECRET, PGPASSWORD: SECRET },
});
const script = (body: string): OwnCommand => own(['/bin/sh', '-c', body, 'own']);
const call = (ms = 3000) => ({ signal: AbortSignal.timeout(ms) });

describe('a hook', () => {
  it('is told the facts, through no shell, and gets nothing else of the environment', async () => {
    const body = `require('fs').writeFileSync('seen.json', JSON.stringify([process.argv.slice(1), process.env]))`;
    const hook = commandHook(own([process.execPath, '-e', body, '--', '$(touch pwned)']));
    const facts = await hook.run({ planId: 'p-1', server: 'postgres://app@db/shop' }, call());
    assert.ok(Number(facts.ranMs) >= 0);
    const [words, env] = JSON.parse(readFileSync(join(folder, 'seen.json'), 'utf8')) as [
      string[],
      Record<string, string>,
    ];
    assert.deepEqual(words, ['$(touch pwned)']);
    assert.equal(env.EVENTCORE_DR_PLAN_ID, 'p-1');
    assert.equal(env.EVENTCORE_DR_REGION, 'east');
    assert.equal(env.EVENTCORE_DR_SERVER, 'postgres://app@db/shop');
    assert.ok(!JSON.stringify(env).includes(SECRET));
    assert.ok(!readdirSync(folder).includes('pwned'));
  });

  it('fails with the last of what it said, without secrets', async () => {
    const says = `echo "connecting to postgres://app:${SECRET}@db/shop password=${SECRET}"; echo first >&2; echo "token: ${SECRET}" >&2; echo gone >&2; exit 7`;
    const error = await refuses(commandHook(script(says)).run({}, call()), 'action_failed');
    assert.match(error.message, /exit code 7; it last said: first \| token: … \| gone/);
    assert.ok(!`${error.message}${error.hint}`.includes(SECRET));
    assert.equal(error.facts.ended, 7);
    await refuses(commandHook(script('sleep 60')).run({}, call(100)), 'action_failed', /did not end in time/);
    await refuses(commandHook(own([`/nowhere/x`])).run({}, call()), 'action_failed', /ENOENT/);
    await refuses(commandHook(script('yes')).run({}, call()), 'action_failed', /wrote more than/);
  });

  it('is shown in plans without secrets', () => {
    const shown = showCommand({
      argv: ['ssh', 'db 1', `--password=${SECRET}`, `postgres://u:${SECRET}@h/d`],
    });
    assert.equal(shown, 'ssh "db 1" --password=… postgres://u:…@h/d');
    assert.equal(hideSecrets(`Authorization: Bearer ${SECRET}, whsec_${SECRET}`).includes(SECRET), false);
  });
});

describe('a fence by a command', () => {
  it('stands where asking ends with 0, is open with 1, and unknown otherwise', async () => {
    for (const [code, state] of [
      [0, 'fenced'],
      [1, 'open'],
      [2, 'unknown'],
      [255, 'unknown'],
    ] as const) {
      const fence = commandFence(script(`test "$1" = check && exit ${code}; exit 9`));
      assert.equal(await fence.check(call()), state);
    }
    assert.equal(await commandFence(script('kill -9 $$')).check(call()), 'unknown');
    assert.equal(await commandFence(script('sleep 60')).check(call(100)), 'unknown');
    assert.equal(await commandFence(own(['/nowhere/x'])).check(call()), 'unknown');
  });

  it('is applied with a verb, or by one command and asked by another', async () => {
    await commandFence(script('echo "$1 $EVENTCORE_DR_VERB $EVENTCORE_DR_REGION" > verbs')).apply(call());
    assert.equal(readFileSync(join(folder, 'verbs'), 'utf8'), 'apply apply east\n');
    const check = ['/bin/sh', '-c', 'test -f fenced', 'check'];
    const fence = commandFence({ ...script('test $# = 0 && touch fenced'), check });
    assert.equal(await fence.check(call()), 'open');
    await fence.apply(call());
    assert.equal(await fence.check(call()), 'fenced');
    await refuses(commandFence(script('echo no way >&2; exit 1')).apply(call()), 'fence_failed', /no way/);
  });
});

describe('capacity by a command', () => {
  it('is there, not yet, or it cannot be told', async () => {
    const scaler = commandScaler(script('case $1 in apply) touch more;; check) test -f more;; esac'));
    assert.equal(await scaler.check(call()), false);
    await scaler.apply(call());
    assert.equal(await scaler.check(call()), true);
    await refuses(commandScaler(script('exit 2')).check(call()), 'action_failed');
    await refuses(commandScaler(script('exit 1')).apply(call()), 'action_failed');
  });
});

describe('a name by a command', () => {
  const KEEPER = `case $1 in
    read) cat value 2>/dev/null || true ;;
    switch) test "$(cat value 2>/dev/null)" = "$2" || exit 3; printf %s "$3" > value ;;
  esac`;
  const open = (body = KEEPER) => commandName({ ...script(body), name: 'db.eventcore.test' });
  const put = (value: string) => writeFileSync(join(folder, 'value'), value);

  it('is read and switched, also from nothing', async () => {
    rmSync(join(folder, 'value'), { force: true });
    const name = open();
    assert.equal(await name.read(call()), null);
    await name.switchTo({ from: null, to: 'east' }, call());
    assert.equal(await name.read(call()), 'east');
    await name.switchTo({ from: 'east', to: 'west' }, call());
    await refuses(name.switchTo({ from: 'east', to: 'west' }, call()), 'name_changed', /is west, not east/);
    assert.equal(await name.read(call()), 'west');
  });

  it('is read as JSON too, and nothing else is taken for a value', async () => {
    for (const [said, value] of [
      ['{"value": "east"}', 'east'],
      ['{"value":null}', null],
      ['\n', null],
    ] as const) {
      put(said);
      assert.equal(await open().read(call()), value);
    }
    for (const said of ['a\nb', '{"value": 3}', '{', 'x'.repeat(2000)]) {
      put(said);
      await refuses(open().read(call()), 'name_refused');
    }
  });

  it('is not switched where another was there first, or where the command does not do it', async () => {
    put('east');
    const race = open('if [ "$1" = switch ]; then printf north > value; exit 3; fi; cat value');
    await refuses(race.switchTo({ from: 'east', to: 'west' }, call()), 'name_changed', /is north/);
    put('east');
    const lazy = open('test "$1" = read && cat value || true');
    await refuses(lazy.switchTo({ from: 'east', to: 'west' }, call()), 'name_changed', /is east, not west/);
    await refuses(open('exit 1').read(call()), 'name_refused');
    await refuses(open('exit 3').read(call()), 'name_refused');
  });
});

async function refuses(work: Promise<unknown>, code: ErrorCode, words = /./): Promise<BackupError> {
  const error = await work.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(isBackupError(error, code), String(error));
  assert.match(error.message, words);
  return error;
}
