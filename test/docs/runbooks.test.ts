/** Whoever is called at night finds a page: every alert has its section in an everyday runbook, which says what it means, what to do and when it is over. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse as parseYaml } from 'yaml';
import { JOB_NAMES } from '../../src/core/job.ts';
import type { Objective } from '../../src/core/status.ts';
import { BLIND_CHECK } from '../../src/policy/blind.ts';
import { STATUS_CHECK } from '../../src/policy/objective-alerts.ts';
import { VAULT_CHECK } from '../../src/policy/service-alert-text.ts';
import { assertCommands, namedCommands } from '../harness/named-commands.ts';
import { judgeLink, PAGES, ROOT } from './pages.ts';

/** All of them: the compiler asks for each. */
const OBJECTIVES: Readonly<Record<Objective['name'], true>> = {
  ...{ rpo: true, region_rpo: true, rto: true },
  ...{ verified_within: true, drilled_within: true },
};

const INDEX = 'docs/operating/runbooks.md';
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Rule {
  readonly alert: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly runbook_page: string };
}

const rules = (
  parseYaml(read('deploy/prometheus/alerts.yaml')) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);

/** The first two cells of each row of the index's tables. */
const rows = [...read(INDEX).matchAll(/^\| (.+?) \| (.+?) \|/gm)];

test('each alert rule names its section of a runbook, which is there', () => {
  for (const { alert, annotations } of rules) {
    const page = annotations.runbook_page;
    assert.equal(judgeLink('README.md', page, PAGES), null, `${alert}: ${page}`);
    assert.ok(page.endsWith(`#${alert.toLowerCase()}`), `${alert} names ${page}`);
  }
});

test('the index has each alert rule with its severity and the same section, and no other', () => {
  const listed = [...read(INDEX).matchAll(/^\| `(Eventcore\w+)` \| (\w+) \| \[[^\]]+\]\(([^)]+)\) \|/gm)];
  assert.deepEqual(
    listed.map(([, alert, severity, page]) => [alert, severity, `docs/operating/${page}`]),
    rules
      .map(({ alert, labels, annotations }) => [alert, labels.severity, annotations.runbook_page])
      .toSorted(byPlaceIn(listed.map(([, alert]) => alert!))),
  );
});

function byPlaceIn(
  order: readonly string[],
): (one: readonly (string | undefined)[], other: typeof one) => number {
  return ([one], [other]) => order.indexOf(one!) - order.indexOf(other!);
}

test('the index has what the daemon and the monitor tell by themselves', () => {
  const named = new Set(rows.flatMap(([, cell]) => [...cell!.matchAll(/`(\w+)`/g)].map(([, name]) => name!)));
  const told = [
    ...Object.keys(OBJECTIVES).map((name) => `objective_${name}`),
    ...JOB_NAMES.map((job) => `job_${job}`),
    ...[STATUS_CHECK, VAULT_CHECK, BLIND_CHECK],
  ];
  assert.deepEqual(
    told.filter((name) => !named.has(name)),
    [],
  );
});

const runbooks = [...PAGES.keys()].filter((path) => /^docs\/operating\/runbook-/.test(path));

test('each alert has a section that says what it means, what to do, and when it is over', () => {
  for (const path of runbooks) {
    for (const section of read(path).split(/^## /m).slice(1)) {
      const name = `${path}: ${section.split('\n', 1)[0]}`;
      if (!/^(Eventcore|\w+_)/.test(section)) continue;
      assert.match(section, /^\*\*Means\.\*\* /m, name);
      assert.match(section, /^\*\*(See and do|Do)\.\*\*/m, name);
      assert.match(section, /^\*\*Over when\*\* /m, name);
    }
  }
});

test('runbooks, guides and answers name no command and no flag that there is not', async () => {
  const pages = [...PAGES.keys()].filter((path) =>
    /^docs\/(operating\/|guides\/|faq|comparison|threat-model|concepts)/.test(path),
  );
  const named = namedCommands(pages.map(read).join('\n'));
  assert.ok(named.size > 20, `${named.size} commands`);
  await assertCommands(named);
});
