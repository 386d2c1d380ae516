/** Each `eventcore …` that a page or a message shows is one that the program takes. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readPage } from '../../scripts/site/markdown.ts';
import { judgeSynopsis, judgeWords } from './command-line.ts';
import { PAGES, ROOT } from './pages.ts';
import { readCommands } from './shell-words.ts';
import { readSteps } from './transcript.ts';

const SHELLS = ['', 'sh', 'console', 'yaml', 'ini'];

test('commands in blocks of pages have the words that the program takes', async () => {
  const faults: string[] = [];
  for (const [path, { blocks }] of PAGES) {
    for (const { language, text, line } of blocks) {
      if (!SHELLS.includes(language)) continue;
      for (const words of findCommands(language, text)) {
        // A line of `[options]` is what the reference begins with.
        const isSynopsis = words.some((word) => word.startsWith('['));
        const fault = await (isSynopsis ? judgeSynopsis(words) : judgeWords(words));
        if (fault !== null) faults.push(`${path}:${line}: eventcore ${words.join(' ')}: ${fault}`);
      }
    }
  }
  assert.deepEqual(faults, []);
});

/** In a block of a terminal what was typed; elsewhere lines that begin with the program, however it is started. */
function findCommands(language: string, text: string): string[][] {
  const typed = language === 'console' ? readSteps(text).map(({ command }) => command) : readShown(text);
  return typed.flatMap(readCommands).flatMap((words) => {
    const at = words.findIndex((word) => /^(?:\S*\/)?eventcore$/.test(word));
    return at === -1 || (at > 0 && !isStarter(words[0]!)) ? [] : [words.slice(at + 1)];
  });
}

/** Indented blocks may have outputs too: then only what follows `$ ` is a command. */
function readShown(text: string): string[] {
  const joined = text.replaceAll(/\\\n\s*/g, ' ');
  const lines = joined.split('\n').map((line) => line.trim().replace(/^ExecSt\w+=/, ''));
  const prompted = lines.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2));
  if (prompted.length > 0) return prompted;
  return lines.filter((line) => /^(?:[\w-]+=\S* )*(?:\S*\/)?eventcore /.test(line));
}

function isStarter(word: string): boolean {
  return ['sudo', 'npx', 'exec', 'watch'].includes(word);
}

test('commands within the text of pages have names and flags that the program knows', async () => {
  const faults: string[] = [];
  for (const [path, { codes }] of PAGES) {
    for (const { text, line } of codes) faults.push(...(await judgeShown(text, `${path}:${line}`)));
  }
  assert.deepEqual(faults, []);
});

test('scripts of npm that pages name are there', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  const faults = [...PAGES].flatMap(([path, { blocks, codes }]) =>
    [...blocks, ...codes].flatMap(({ text, line }) =>
      [...text.matchAll(/\bnpm run (?:-s )?([a-z][\w:-]*)/g)]
        .filter(([, name]) => !Object.hasOwn(scripts, name!))
        .map(([said]) => `${path}:${line}: ${said}`),
    ),
  );
  assert.deepEqual(faults, []);
});

test('commands that messages and hints name are those that the program knows', async () => {
  const faults: string[] = [];
  for (const path of globSync('src/**/*.ts', { cwd: ROOT })) {
    const source = readFileSync(join(ROOT, path), 'utf8');
    for (const [, said] of source.matchAll(/\\?`(eventcore [a-z][^`\n]*?)\\?`/g)) {
      faults.push(...(await judgeShown(said!.replaceAll(/\$\{[^}]*\}/g, 'X'), path)));
    }
  }
  assert.deepEqual(faults, []);
});

/** What digests are made over begins with the name of the program as well. */
const LABELS = /^eventcore (?:block|disaster|key|manifest|memory|object|recovery|salvage|vanished) /;

async function judgeShown(text: string, where: string): Promise<string[]> {
  if (!text.startsWith('eventcore ') || LABELS.test(text)) return [];
  const fault = await judgeSynopsis(text.split(/[\s|,]+/).slice(1));
  return fault === null ? [] : [`${where}: ${text}: ${fault}`];
}

test('what the program does not take is found', async () => {
  const words = (line: string) => readCommands(line)[0]!.slice(1);
  for (const line of [
    'eventcore backup full --vault x',
    "eventcore restore --to 'sqlite:./a b.db' --at 2026-01-01T00:00:00Z > out # why",
  ]) {
    assert.equal(await judgeWords(words(line)), null, line);
  }
  for (const line of [
    ...['eventcore back', 'eventcore backup full --fast', 'eventcore restore --at yesterday --to x'],
    ...['eventcore export', 'eventcore verify --share'],
  ]) {
    assert.notEqual(await judgeWords(words(line)), null, line);
  }
  assert.equal(await judgeSynopsis(['verify', '[BACKUP…]', '--quick']), null);
  assert.match((await judgeSynopsis(['verify', '--quicker']))!, /does not take --quicker/);
  assert.match((await judgeSynopsis(['verifi']))!, /no command verifi/);
});

test('commands are found as a shell finds them', () => {
  assert.deepEqual(readCommands('A=1 one "two three" \'four\' # five\nsix | seven\\ eight && nine >ten\n'), [
    ['one', 'two three', 'four'],
    ['six'],
    ['seven eight'],
    ['nine'],
  ]);
  assert.deepEqual(findCommands('', '$ eventcore list --json\n  eventcore was here\n'), [['list', '--json']]);
  assert.deepEqual(findCommands('', 'ExecStart=/usr/bin/eventcore serve a.yaml\n'), [['serve', 'a.yaml']]);
});

test('code within the text of a page is found with its line', () => {
  assert.deepEqual(readPage('# One\n\nSay `eventcore list`\nor `b`.\n').codes, [
    { text: 'eventcore list', line: 3 },
    { text: 'b', line: 3 },
  ]);
});
