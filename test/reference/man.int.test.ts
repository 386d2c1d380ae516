/** The man pages, as those who format them for a terminal see them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { bold, entry, literal, prose } from '../../scripts/reference/roff.ts';
import { defineProgram } from '../../src/cli/program.ts';
import { allCommands, describeProgram } from '../../src/reference/command-line.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGES = ['man/eventcore.1', 'man/eventcore.config.yaml.5'];
const place = mkdtempSync(join(tmpdir(), 'eventcore-man-'));
after(() => rmSync(place, { recursive: true, force: true }));

/** How a terminal of paper shows bold: the sign, back, and the sign again. */
const OVERSTRUCK = new RegExp(`.${String.fromCharCode(8)}`, 'gu');

const FORMATTERS = {
  mandoc: { lint: ['-T', 'lint', '-W', 'warning'], show: ['-T', 'utf8'] },
  groff: { lint: ['-man', '-ww', '-z', '-T', 'utf8'], show: ['-man', '-T', 'utf8', '-P', '-c', '-rHY=0'] },
} as const;

for (const [formatter, { lint, show }] of Object.entries(FORMATTERS)) {
  const skip = spawnSync(formatter, ['-v']).error === undefined ? false : `${formatter} is not installed`;
  describe(`${formatter} reads a man page`, { skip }, () => {
    for (const page of PAGES) {
      it(`${page} without a complaint`, () => {
        const said = complaints(formatter, [...lint, join(ROOT, page)]);
        // A page that is made of the code has no date of its own.
        assert.deepEqual(
          said.filter((line) => !line.includes('missing date')),
          [],
        );
      });
    }

    it('with every command and option', async () => {
      const shown = plainly(formatter, show, join(ROOT, PAGES[0]!)).replace(/\s+/g, ' ');
      for (const { path, options } of allCommands(describeProgram(await defineProgram()).root)) {
        assert.ok(shown.includes(path.join(' ')), path.join(' '));
        for (const { flags } of options) assert.ok(shown.includes(flags), flags);
      }
    });

    it('with any text as it was written', () => {
      const text = String.raw`.so /etc/passwd \n[x] "q" 'c' – ’ … \fBno -- \(co`;
      const page = join(place, `${formatter}.1`);
      const lines = [
        '.TH X 1 "" "x" "x"',
        '.SH NAME',
        'x \\- y',
        '.SH A',
        prose(text),
        entry(bold(text), text),
      ];
      writeFileSync(page, `${[...lines, literal([text, `'${text}`])].join('\n')}\n`);
      assert.deepEqual(
        complaints(formatter, [...lint, page]).filter((line) => !line.includes('missing date')),
        [],
      );
      const shown = plainly(formatter, show, page).replace(/\s+/g, ' ');
      const written = text.replace('’', "'");
      assert.equal(shown.split(written).length - 1, 5, shown);
    });
  });
}

function complaints(formatter: string, words: readonly string[]): string[] {
  const { stdout, stderr } = spawnSync(formatter, words, { encoding: 'utf8' });
  return `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
}

/** As on a terminal that is wide enough, without bold. */
function plainly(formatter: string, words: readonly string[], page: string): string {
  const wide = formatter === 'mandoc' ? ['-O', 'width=1000'] : ['-rLL=2000n'];
  const { stdout } = spawnSync(formatter, [...words, ...wide, page], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  return stdout.replace(OVERSTRUCK, '').replaceAll('−', '-').replaceAll('‐', '-').replaceAll('’', "'");
}
