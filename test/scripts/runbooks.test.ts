import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makePages } from '../../scripts/runbooks/pages.ts';
import { DISASTER_TRIGGERS, RECOVERY_RISKS, RECOVERY_STEPS } from '../../src/core/disaster.ts';
import { runHere } from '../harness/command.ts';

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
    const named = new Map<string, Set<string>>();
    for (const text of pages.values()) {
      for (const [, line] of text.matchAll(/(?:^ {4}|`)eventcore ([^`\n#]+)/gm)) {
        const words = line!.trim().split(/\s+/);
        const first = words.findIndex((word) => !/^[a-z]+$/.test(word));
        const command = words.slice(0, first < 0 ? words.length : first).join(' ');
        const flags = words.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0]!);
        const known = named.get(command) ?? new Set();
        for (const flag of flags) known.add(flag);
        named.set(command, known);
      }
    }
    assert.ok(named.size > 8, `${named.size} commands`);
    for (const [command, flags] of named) {
      const { code, stdout } = await runHere([...command.split(' '), '--help']);
      assert.equal(code, 0, command);
      assert.match(stdout, new RegExp(`eventcore ${command}`), command);
      for (const flag of flags) assert.ok(stdout.includes(flag), `eventcore ${command} ${flag}`);
    }
  });
});
