/** What a release is made of. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { addSection, findSection, readChange, sectionOf } from '../../scripts/release/changes.ts';
import { type Lock, productionPackages, refusedPackages } from '../../scripts/release/licences.ts';
import { nextVersion } from '../../scripts/release/version.ts';

const ROOT = join(import.meta.dirname, '../..');
const readLock = (): Lock => JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;

describe('the licences', () => {
  it('of all that comes with the package are ones that anybody can use', () => {
    const packages = productionPackages(readLock());
    assert.ok(packages.length > 40, 'hardly any were found');
    assert.ok(packages.some(({ path }) => path === 'node_modules/@aws-sdk/client-s3'));
    assert.ok(!packages.some(({ path }) => path === 'node_modules/typescript'));
    assert.deepEqual(refusedPackages(packages), []);
  });

  it('are refused where nobody allowed them, or where there is none', () => {
    const of = (license?: string) => ({ path: 'x', version: '1.0.0', licence: license ?? null });
    const good = ['MIT', '(MIT OR GPL-3.0-only)', 'MIT AND ISC'].map(of);
    const bad = [
      of('GPL-3.0-only'),
      of('MIT AND GPL-2.0-only'),
      of('UNLICENSED'),
      of('SEE LICENSE IN x'),
      of(),
    ];
    assert.deepEqual(refusedPackages([...good, ...bad]), bad);
  });

  it('are those of the packages that Node finds, also where there are several of one name', () => {
    const lock: Lock = {
      packages: {
        '': { dependencies: { a: '1' } },
        'node_modules/a': { version: '1', license: 'MIT', dependencies: { b: '2', gone: '1' } },
        'node_modules/a/node_modules/b': { version: '2', license: 'MIT', dependencies: { '@x/c': '1' } },
        'node_modules/@x/c': { version: '1', license: 'GPL-3.0-only' },
        'node_modules/b': { version: '1', license: 'GPL-3.0-only' },
      },
    };
    assert.deepEqual(
      productionPackages(lock).map(({ path }) => path),
      ['node_modules/@x/c', 'node_modules/a', 'node_modules/a/node_modules/b'],
    );
  });
});

describe('the changes', () => {
  it('that are not released yet make a section', () => {
    const folder = join(ROOT, 'changelog/unreleased');
    const names = readdirSync(folder).filter((name) => name.endsWith('.md'));
    const changes = names.map((name) => readChange(name, readFileSync(join(folder, name), 'utf8')));
    const entries = sectionOf('9.0.0', '2030-01-01', changes).match(/^- \*\*/gm) ?? [];
    assert.equal(entries.length, changes.length);
  });

  it('are grouped by kind, and their lines stay within their entry', () => {
    const changes = [
      readChange('b.md', '# Fixed: Something was wrong\n\nIt is\nright now.\n'),
      readChange('a.md', '# Added: Something can be done\n\nBy this.\n\nOr that.\n'),
    ];
    const section = sectionOf('1.2.0', '2030-01-01', changes);
    assert.equal(
      section,
      '## 1.2.0 (2030-01-01)\n\n### Added\n\n- **Something can be done.** By this.\n  Or that.\n\n### Fixed\n\n- **Something was wrong.** It is\n  right now.\n',
    );
    assert.throws(() => readChange('c.md', '# Better: Anything\n\nYes.\n'), /c\.md is not shaped/);
  });

  it('of a version stand before those of older ones, and are found again', () => {
    const [old, new_] = [sectionOf('1.0.0', '2029-01-01', []), sectionOf('1.1.0', '2030-01-01', [])];
    const text = addSection(addSection('', old), new_);
    assert.ok(text.indexOf('## 1.1.0') < text.indexOf('## 1.0.0'));
    assert.equal(text.match(/^# Changes$/gm)?.length, 1);
    assert.equal(findSection(text, '1.0.0'), old.trim());
    assert.equal(findSection(text, '1.0'), null);
  });
});

describe('the next version', () => {
  it('is the one that was wanted, or has the part that was wanted raised', () => {
    assert.equal(nextVersion('1.9.9', 'patch'), '1.9.10');
    assert.equal(nextVersion('1.9.9', 'minor'), '1.10.0');
    assert.equal(nextVersion('1.9.9', 'major'), '2.0.0');
    assert.equal(nextVersion('1.9.9', '1.10.0'), '1.10.0');
  });

  it('is above the current one, and a version', () => {
    for (const wanted of ['1.9.9', '1.9.8', '1.8.10', '0.10.10']) {
      assert.throws(() => nextVersion('1.9.9', wanted), /not above/);
    }
    for (const wanted of ['v2.0.0', '2.0', '2.0.0-rc.1', 'next', '02.0.0']) {
      assert.throws(() => nextVersion('1.9.9', wanted), /no version/);
    }
  });
});
