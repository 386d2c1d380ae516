import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { drawPicture } from '../../bench/picture.ts';
import { fillPage, mainOutcome, PAGE, PICTURE, readPublished } from '../../bench/publish.ts';
import { judge, REQUIREMENTS } from '../../bench/requirements.ts';
import { formatTable, requirementsTable, resultTables } from '../../bench/tables.ts';
import { outcome, result } from './sample-outcome.ts';

describe('tables', () => {
  it('line up, and are Markdown whatever is in a cell', () => {
    const table = formatTable(
      ['what', 'n'],
      [
        ['a | b', '1'],
        ['×', '12,345'],
      ],
    );
    const lines = table.split('\n');
    assert.deepEqual(lines, [
      '| what   |      n |',
      '| ------ | -----: |',
      '| a \\| b |      1 |',
      '| ×      | 12,345 |',
    ]);
  });

  it('show figures and their ratio to the baseline, for each work that was measured', () => {
    const tables = resultTables(outcome());
    assert.deepEqual(
      tables.map(({ work }) => work),
      ['full backup', 'verify'],
    );
    const [head, , ours, baseline] = tables[0]!.table.split('\n').map(cellsOf);
    assert.deepEqual(head, [
      ...['full backup', 'wall s', 'ratio', 'client CPU s', 'server CPU s', 'peak MiB', 'MB', 'ratio'],
      'events/s',
    ]);
    assert.deepEqual(ours, ['backup', '5.00', '0.250', '8.0', '5.0', '150', '0.500', '0.500', '200,000']);
    assert.equal(baseline?.[2], '1.000');
  });

  it('have no column for what a work does not have, and a dash where there is no baseline', () => {
    const [head, , row] = resultTables(outcome())[1]!.table.split('\n').map(cellsOf);
    assert.deepEqual(head, ['verify', 'wall s', 'ratio', 'client CPU s', 'peak MiB', 'events/s']);
    assert.equal(row?.[2], '–');
  });

  it('say of an incremental backup what it wrote, however little, and not how many events there are a second', () => {
    const work = 'incremental backup';
    const results = [
      result('incremental', 'ours', { wallSeconds: 1, bytes: 151_400 }, work),
      result('pgBackRest incremental', 'baseline', { wallSeconds: 4, bytes: 60_500_000 }, work),
    ];
    const [head, , ours] = resultTables(outcome({ results }))[0]!.table.split('\n').map(cellsOf);
    assert.deepEqual(head?.slice(-2), ['MB', 'ratio']);
    assert.deepEqual(ours, ['incremental', '1.00', '0.250', '8.0', '5.0', '150', '0.151', '0.003']);
  });

  it('show a tiny ratio with the decimals that tell', () => {
    const backup = result('backup', 'ours', { bytes: 95_000_000 });
    const results = [backup, result('incremental', 'ours', { bytes: 151_400 }, 'incremental backup')];
    const bytes = REQUIREMENTS.find(({ figure, of }) => figure === 'bytes' && of.includes('incremental'))!;
    const finding = judge(bytes, [outcome({ results })]);
    const cells = cellsOf(requirementsTable([finding]).split('\n')[2]!);
    assert.deepEqual(cells.slice(1, 5), ['0.0016', '0.0100', '–', 'reached']);
  });

  it('say for each requirement whether it was reached', () => {
    const findings = REQUIREMENTS.map((requirement) => judge(requirement, [outcome()]));
    const rows = requirementsTable(findings).split('\n').slice(2).map(cellsOf);
    assert.equal(rows.length, REQUIREMENTS.length);
    assert.deepEqual(rows[0], ['full backup vs `pg_dump -Fc`', '0.25', '0.28', '0.20', 'reached', '1M']);
    assert.ok(rows.some((cells) => cells[4] === 'not measured' && cells[1] === '–'));
  });
});

describe('the page with the tables', () => {
  const page = 'Before.\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nAfter.\n';

  it('is filled between its marks, and can be filled again', () => {
    const filled = fillPage(page, [outcome()]);
    assert.match(filled, /^Before\.\n<!-- measured: begin -->\n\n## What must be shown\n/);
    assert.match(filled, /<!-- measured: end -->\nAfter\.\n$/);
    assert.doesNotMatch(filled, /old/);
    assert.match(filled, /## 1M events\n\nMeasured on 2026-11-24, medians of 3\. Made Up 9000, 2 cores/);
    assert.equal(fillPage(filled, [outcome()]), filled);
    assert.throws(() => fillPage('no marks', [outcome()]));
  });

  it('names what was left out', () => {
    const leftOut = [{ name: 'pgBackRest full', why: 'pgbackrest is not installed' }];
    assert.match(
      fillPage(page, [outcome({ leftOut })]),
      /Left out: pgBackRest full \(pgbackrest is not installed\)\./,
    );
  });

  it('begins with the outcome that shows the most, of those the largest', () => {
    const small = outcome({ events: 1000 });
    const partial = outcome({ events: 10_000_000, results: [result('backup', 'ours')] });
    assert.equal(mainOutcome([small, outcome(), partial]).events, 1_000_000);
  });
});

describe('what is published in docs/', () => {
  it('is what was measured: page and picture are made of the numbers', () => {
    const outcomes = readPublished();
    const page = readFileSync(PAGE, 'utf8');
    assert.equal(page, fillPage(page, outcomes));
    assert.equal(readFileSync(PICTURE, 'utf8'), drawPicture(mainOutcome(outcomes)));
  });
});

function cellsOf(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}
