import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makePages } from '../../scripts/runbooks/pages.ts';
import { DISASTER_TRIGGERS, RECOVERY_RISKS, RECOVERY_STEPS } from '../../src/core/disaster.ts';
import { assertCommands, namedCommands } from '../harness/named-commands.ts';

const ROOT = join(import.meta.dirname, '../..');
const pages = makePages();

describe('the pages that are made of the tables', () => {
  for (const [path, text] of pages) {
    it(`${path} is as the tables are`, () => {
      assert.equal(readFileSync(join(ROOT, path), 'utf8'), text, 'run: npm run runbooks');
    });
  }

  it('are all that is there', () => {
    const found = globSync('docs/runbooks/*.md', { cwd: ROOT }).sort();
    assert.deepEqual(found, [...pages.keys()].filter((path) => path.startsWith('docs/')).sort());
  });

  it('of damage and breach say nothing of a standby that takes over', () => {
    for (const trigger of ['data_corruption', 'security_breach'])
      assert.doesNotMatch(
        pages.get(`docs/runbooks/${trigger}.md`)!,
        /`(?:regional_failover|switchover|promote|choose)`/,
      );
  });

  it('name each flag that accepts a risk, and each step or why it fails', () => {
    for (const trigger of DISASTER_TRIGGERS) {
      const page = pages.get(`docs/runbooks/${trigger}.md`)!;
      for (const flag of Object.values(RECOVERY_RISKS)) assert.ok(page.includes(flag), `${trigger} ${flag}`);
      assert.ok(page.includes(`eventcore dr plan --trigger ${trigger}`));
    }
    for (const step of RECOVERY_STEPS) assert.ok(pages.get('src/disaster/SPEC.md')!.includes(`\`${step}\``));
  });

  it('have no table with a torn row', () => {
    for (const [path, text] of pages) {
      const cells = (line: string): number => line.replaceAll('\\|', '').split('|').length;
      for (const block of text.split('\n\n').filter((part) => part.startsWith('|'))) {
        const lines = block.split('\n');
        for (const line of lines) assert.equal(cells(line), cells(lines[0]!), `${path}: ${line}`);
      }
    }
  });

  it('name no command and no flag that there is not', async () => {
    const named = namedCommands([...pages.values()].join('\n'));
    assert.ok(named.size > 8, `${named.size} commands`);
    await assertCommands(named);
  });
});
