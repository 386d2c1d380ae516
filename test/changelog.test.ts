import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const FOLDER = join(import.meta.dirname, '../changelog');
const TITLE = /^# (?:Added|Changed|Fixed|Removed|Security): [A-Z].{8,98}[^.\s]$/;

test('each change says what it is in a title, and what it means in a few lines', () => {
  for (const file of [
    'TEMPLATE.md',
    ...readdirSync(join(FOLDER, 'unreleased'))
      // A release leaves it, since git keeps no empty folder.
      .filter((name) => name !== '.gitkeep')
      .map((name) => `unreleased/${name}`),
  ]) {
    assert.deepEqual(findFaults(file, readFileSync(join(FOLDER, file), 'utf8')), []);
  }
});

test('a change of another shape is found', () => {
  const good = '# Fixed: Something that was wrong\n\nIt is right now.\n';
  assert.deepEqual(findFaults('unreleased/good.md', good), []);
  for (const [file, text] of [
    ['unreleased/Bad_Name.md', good],
    ['unreleased/good.txt', good],
    ['unreleased/bad.md', good.replace('Fixed', 'Improved')],
    ['unreleased/bad.md', good.replace('wrong', 'wrong.')],
    ['unreleased/bad.md', good.replace('\n\n', '\n')],
    ['unreleased/bad.md', '# Fixed: Something that was wrong\n\n'],
    ['unreleased/bad.md', good + 'line\n'.repeat(10)],
    ['unreleased/bad.md', good + 'w'.repeat(130)],
  ] as const) {
    assert.equal(findFaults(file, text).length, 1, JSON.stringify([file, text]));
  }
});

function findFaults(file: string, text: string): string[] {
  const [title = '', blank, ...body] = text.split('\n');
  const lines = body.filter((line) => line.trim() !== '');
  const faults: [boolean, string][] = [
    [!/^(?:TEMPLATE|unreleased\/[a-z0-9-]+)\.md$/.test(file), 'is not named like-this.md'],
    [!TITLE.test(title), `has no title like "# Fixed: What was wrong": ${title}`],
    [blank !== '', 'has no empty line under its title'],
    [lines.length === 0 && blank === '', 'does not say what the change means'],
    [lines.length > 10, 'has more than ten lines'],
    [text.split('\n').some((line) => line.length > 125), 'has a line of more than 125 signs'],
  ];
  return faults.filter(([isFault]) => isFault).map(([, fault]) => `changelog/${file} ${fault}`);
}
