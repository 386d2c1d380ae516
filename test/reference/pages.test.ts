import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makePages } from '../../scripts/reference/pages.ts';

const ROOT = join(import.meta.dirname, '../..');
const pages = await makePages();

describe('what is generated from code', () => {
  for (const [path, text] of pages) {
    it(`${path} is as the code is`, () => {
      assert.equal(readFileSync(join(ROOT, path), 'utf8'), text, 'run: npm run reference');
    });
  }

  it('has each table whole: as many cells in each line', () => {
    for (const [path, text] of pages) {
      if (!path.endsWith('.md')) continue;
      const cells = (line: string): number => line.split(/(?<!\\)\|/).length;
      for (const block of text.split('\n\n').filter((part) => part.startsWith('| '))) {
        const [head, ...lines] = block.trim().split('\n');
        for (const line of lines) assert.equal(cells(line), cells(head!), `${path}: ${line}`);
      }
    }
  });
});
