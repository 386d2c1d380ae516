import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { checksSchema } from '../../../src/cli/config/check-schema.ts';
import { loadUserChecks } from '../../../src/cli/user-checks.ts';
import { BUILT_IN_CHECKS } from '../../../src/integrity/checks/built-in.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import { ask } from './asking.ts';

const page = readFileSync(path.join(import.meta.dirname, '../../../docs/checks.md'), 'utf8');
const block = (language: string): string =>
  new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page)![1]!;

describe('docs/checks.md', () => {
  it('lists each check as it says of itself', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    const told = BUILT_IN_CHECKS.map(({ name, proves, rung, severity, every, repaired }) => {
      return `| \`${name}\` | ${proves} | ${rung} | ${severity} | ${every} | ${repaired} |`;
    });
    assert.deepEqual(rows, told);
  });

  it('has examples that find what they say', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'eventcore-manual-'));
    const store = openSqliteStore(`sqlite:${path.join(folder, 'shop.db')}`);
    try {
      await store.initialise();
      const placed = (total: number) => ({ type: 'OrderPlaced', data: `{"totalCents":${total}}` });
      await store.append([
        { streamId: 'order-1', events: [placed(5), placed(-5)] },
        { streamId: 'order-2', events: [{ type: 'OrderPaid', data: '{}' }] },
        { streamId: 'stock-1', events: [{ type: 'Counted', data: '{"totalCents":-1}' }] },
      ]);
      const { monitor } = parse(block('yaml')) as { monitor: { checks: unknown } };
      writeFileSync(path.join(folder, 'order-starts.mjs'), block('js'));
      const checks = await loadUserChecks(checksSchema.parse(monitor.checks), folder);
      const found = [...(await ask(store, { checks })).values()].flatMap(({ findings }) =>
        findings.map(({ check, severity, streamId, version }) => [check, severity, streamId, version]),
      );
      assert.deepEqual(found, [
        ['negative_totals', 'damage', 'order-1', '2'],
        ['order_starts', 'damage', 'order-2', null],
      ]);
    } finally {
      await store.close();
      rmSync(folder, { recursive: true });
    }
  });
});
