/** Dashboard and alert rules in `deploy/` are held against what the daemon exposes: a name that is wrong would only be silent. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';
import { parse as parseYaml } from 'yaml';
import { METRICS } from '../../src/daemon/metrics.ts';
import { assertCommands, namedCommands } from '../harness/named-commands.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] };
}

const rules = (
  parseYaml(read('deploy/prometheus/alerts.yaml')) as { groups: { rules: Rule[] }[] }
).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(read('deploy/grafana/eventcore.json')) as Dashboard;
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
const targets = panels.flatMap(({ title, targets: own = [] }) => own.map((target) => ({ title, ...target })));

/** Prometheus has one of its own for each address that it asks. */
const LABELS = new Map([
  ...METRICS.map(({ name, labels }) => [name, new Set(labels)] as const),
  ['up', new Set(['job', 'instance'])] as const,
]);

interface Found {
  readonly metrics: readonly string[];
  /** All labels that its metrics have. */
  readonly labels: ReadonlySet<string>;
}

/** What labels may be held against; of others, names of the configuration. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  objective: ['rpo', 'region_rpo', 'rto', 'verified_within', 'drilled_within'],
  severity: ['critical', 'warning'],
};

/** Throws for what is no PromQL, a metric that is not exposed, or a label that it does not have. */
function examine(expr: string): Found {
  const text = expr.replaceAll('$__rate_interval', '5m');
  const metrics: { readonly name: string; readonly from: number }[] = [];
  const grouped: { readonly label: string; readonly from: number; readonly to: number }[] = [];
  parser.parse(text).iterate({
    enter: ({ type, name, from, to, node }) => {
      const part = text.slice(from, to);
      assert.ok(!type.isError, `no PromQL at ${from}: ${text}`);
      const parent = node.parent?.name;
      if (name === 'Identifier' && parent === 'VectorSelector') metrics.push({ name: part, from });
      if (name === 'UnquotedLabelMatcher') assertMatcher(metrics.at(-1)!.name, part);
      if (name === 'LabelName' && parent === 'GroupingLabels')
        grouped.push({ label: part, ...scopeOf(node) });
    },
  });
  for (const { name } of metrics) assert.ok(LABELS.has(name), `${name} is not exposed: ${text}`);
  const labelsIn = (from: number, to: number): ReadonlySet<string> =>
    new Set(
      metrics
        .filter((metric) => metric.from >= from && metric.from < to)
        .flatMap(({ name }) => [...LABELS.get(name)!]),
    );
  for (const { label, from, to } of grouped)
    assert.ok(labelsIn(from, to).has(label), `nothing has the label ${label}: ${text.slice(from, to)}`);
  return { metrics: metrics.map(({ name }) => name), labels: labelsIn(0, text.length) };
}

function assertMatcher(metric: string, matcher: string): void {
  const [, label, value] = /^(\w+)\s*[=!~]+\s*"(.*)"$/.exec(matcher)!;
  assert.ok(LABELS.get(metric)?.has(label!) ?? true, `${metric} has no label ${label}`);
  assert.ok(VALUES[label!]?.includes(value!) ?? true, `${label} is never ${value}`);
}

/** What labels are grouped by must be there in what is aggregated, or in what is compared. */
function scopeOf(label: SyntaxNode): { readonly from: number; readonly to: number } {
  let scope = label;
  while (scope.parent !== null && !['AggregateExpr', 'BinaryExpr'].includes(scope.name)) scope = scope.parent;
  return { from: scope.from, to: scope.to };
}

describe('what is held against the exposed metrics', () => {
  it('is refused where a name, a label or a bracket is wrong', () => {
    assert.throws(() => examine('eventcore_bakups > 1'), /eventcore_bakups is not exposed/);
    assert.throws(() => examine('eventcore_backups{region="a"}'), /eventcore_backups has no label region/);
    assert.throws(() => examine('max by (job) (eventcore_job_running)'), /nothing has the label job:/);
    const mixed = 'max by (region) (eventcore_backups) > max by (region) (eventcore_region_backups)';
    assert.throws(
      () => examine(mixed),
      /nothing has the label region: max by \(region\) \(eventcore_backups\)/,
    );
    assert.throws(() => examine('eventcore_objective_kept{objective="rp0"}'), /objective is never rp0/);
    assert.throws(() => examine('max by (store) (eventcore_backups'), /no PromQL/);
    assert.throws(() => examine('a > on (store) eventcore_backups'), /a is not exposed/);
    assert.deepEqual(examine('time() - max by (store) (eventcore_backups)').metrics, ['eventcore_backups']);
  });
});

describe('the alert rules', () => {
  for (const { alert, expr, annotations, labels, ...rule } of rules) {
    it(`${alert} asks what is exposed, and says what is wrong and the way out`, () => {
      const found = examine(expr);
      assert.match(alert, /^Eventcore[A-Z]\w+$/);
      assert.ok(['critical', 'warning'].includes(labels.severity!), labels.severity);
      assert.match(rule.for, /^\d+[mhd]$/);
      for (const key of ['summary', 'description', 'runbook'])
        assert.ok(annotations[key]!.length > 20, `${alert} has no ${key}`);
      const named = Object.values(annotations)
        .join(' ')
        .matchAll(/\$labels\.(\w+)/g);
      for (const [, label] of named) assert.ok(found.labels.has(label!), `${alert} has no label ${label}`);
    });
  }

  it('are called by the severity and the name that the docs give them, and no other', () => {
    const rows = [...read('docs/metrics.md').matchAll(/^\| `(Eventcore\w+)` \| (\w+) \|/gm)];
    assert.deepEqual(
      rows.map(([, alert, severity]) => `${alert} ${severity}`).sort(),
      rules.map(({ alert, labels }) => `${alert} ${labels.severity}`).sort(),
    );
  });
});

describe('the dashboard', () => {
  for (const { title, expr, legendFormat } of targets) {
    it(`asks what is exposed: ${title}: ${legendFormat}`, () => {
      const { labels } = examine(expr);
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) assert.ok(labels.has(label!), label);
      // The choice of a store counts everywhere but for what is of the daemon itself.
      if (labels.has('store')) assert.match(expr, /store=~"\$store"/);
    });
  }

  it('shows each metric that says something by itself, and has each chosen store and source', () => {
    const shown = new Set([...targets, ...rules].flatMap(({ expr }) => examine(expr).metrics));
    const unseen = METRICS.map(({ name }) => name).filter((name) => !shown.has(name));
    assert.deepEqual(unseen, [
      'eventcore_job_next_timestamp_seconds',
      'eventcore_job_last_events',
      'eventcore_drill_timestamp_seconds',
      'eventcore_monitor_timestamp_seconds',
      'eventcore_objective_actual_seconds',
    ]);
    const names = dashboard.templating.list.map(({ name }) => name);
    assert.deepEqual(names, ['datasource', 'store']);
    const query = JSON.stringify(dashboard.templating.list[1]!.query);
    const [, metric] = /label_values\((\w+), store\)/.exec(query)!;
    assert.ok(LABELS.get(metric!)?.has('store'), metric);
  });

  it('has panels of their own that lie nowhere on each other', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          assert.equal(taken.get(`${x} ${y}`), undefined, `${title} lies on another`);
          taken.set(`${x} ${y}`, title);
        }
      }
    }
  });
});

describe('docs/metrics.md', () => {
  it('names each metric in a table, with its labels somewhere, and no other', () => {
    const docs = read('docs/metrics.md');
    const rows = [...docs.matchAll(/^\| (`eventcore_[^|]*) \|/gm)].flatMap(([, cell]) =>
      [...cell!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
    );
    assert.deepEqual(rows.toSorted(), METRICS.map(({ name }) => name).toSorted());
    for (const [, name] of docs.matchAll(/`(eventcore_\w+)/g)) assert.ok(LABELS.has(name!), name);
    for (const label of METRICS.flatMap(({ labels }) => labels))
      assert.ok(docs.includes(`\`${label}\``), label);
  });
});

it('what docs/kubernetes.md has an autoscaler follow is exposed', () => {
  const [, expr] = /^ {4}(sum\(.*eventcore_.*)$/m.exec(read('docs/kubernetes.md'))!;
  assert.deepEqual(examine(expr!).metrics, ['eventcore_work_queue_jobs']);
});

it('the ways out of alerts name no command and no flag that there is not', async () => {
  const named = namedCommands(
    `${read('docs/metrics.md')}\n${rules.map(({ annotations }) => annotations.runbook).join('\n')}`,
  );
  assert.ok(named.size > 10, `${named.size} commands`);
  await assertCommands(named);
});
