import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { z } from 'zod';
import { configSchema, parseConfig } from '../../src/cli/config/file.ts';
import { readDisaster } from '../../src/cli/disaster/config.ts';
import { MONITOR_DEFAULTS } from '../../src/cli/monitor/ports.ts';
import { servedJobs } from '../../src/cli/serve/jobs.ts';
import { CLOCK_TOLERANCE_MS } from '../../src/integrity/checks/check.ts';
import {
  type KeyDefinition,
  schemaOfConfiguration,
  sectionsOf,
  sharedOf,
} from '../../src/reference/configuration.ts';
import { VARIABLES } from '../../src/reference/environment.ts';

const ROOT = join(import.meta.dirname, '../..');
const schema = schemaOfConfiguration(configSchema);
const keys = [
  ...sectionsOf(schema).flatMap(({ key, below }) => [key, ...below]),
  ...sharedOf(schema).flatMap(({ below }) => below),
];

describe('a configuration as data', () => {
  it('has keys with what may stand there, what counts when they are left out, and what is shared', () => {
    const rule = z.strictObject({ days: z.int().min(1).max(9) }).meta({ id: 'rule', description: 'a rule' });
    const made = schemaOfConfiguration(
      z.strictObject({
        name: z.string().describe('a name'),
        wait: z
          .string()
          .transform((text) => text.length)
          .optional()
          .meta({ description: 'how long', default: '1s' }),
        places: z.array(z.strictObject({ at: z.enum(['a', 'b']).nullish().describe('where') })),
        rule: rule.optional(),
        share: z.preprocess(Number, z.number()).optional(),
        tables: z.record(z.string(), z.strictObject({ key: z.boolean().default(true) })),
      }),
    );
    const shown = sectionsOf(made).flatMap(({ key, below }) => [key, ...below]);
    assert.deepEqual(shown.map(inShort), [
      'name: text',
      'wait: text = 1s',
      'places: list of entries',
      'places[].at: a, b',
      'rule: keys (rule)',
      'share: number or text',
      'tables: keys',
      'tables.NAME.key: true or false = true',
    ]);
    const [shared] = sharedOf(made);
    assert.deepEqual(shared!.below.map(inShort), ['rule.days: 1 to 9']);
    assert.equal(shown.find(({ path }) => path === 'rule')!.description, 'a rule');
  });
});

function inShort({ path, type, fallback, shared }: KeyDefinition): string {
  return `${path}: ${type}${shared === null ? '' : ` (${shared})`}${fallback === undefined ? '' : ` = ${fallback}`}`;
}

describe('the configuration', () => {
  it('says of each key what it is', () => {
    assert.ok(keys.length > 150, `${keys.length} keys`);
    const silent = keys.filter(({ description }) => !/^.{6,}[^.\s]$/.test(description));
    assert.deepEqual(
      silent.map(({ path, description }) => `${path}: ${description}`),
      [],
    );
  });

  it('says what the program does where a key is left out', () => {
    const monitor = parseConfig(`monitor: ${JSON.stringify(fallbacksOf('monitor'))}`, 'x').monitor!;
    assert.deepEqual(
      {
        intervalMs: monitor.check_interval,
        jitterPercent: monitor.jitter,
        percentage: monitor.sample_percentage,
        repeatAfterMs: monitor.repeat_after,
        rateLimit: monitor.rate_limit,
        statementTimeoutMs: monitor.statement_timeout,
        maxReplicationLagMs: monitor.max_replication_lag,
        clockToleranceMs: monitor.clock_tolerance,
      },
      { ...MONITOR_DEFAULTS, clockToleranceMs: CLOCK_TOLERANCE_MS },
    );
    const jobs = { full: '0 2 * * 0' };
    assert.deepEqual(jobsOf({ ...fallbacksOf('serve'), jobs }), jobsOf({ jobs }));
    const least = { regions: [{ region: 'a', servers: ['postgres://db.example/a'], vault: 'file:/a' }] };
    assert.deepEqual(disasterOf({ ...fallbacksOf('disaster'), ...least }), disasterOf(least));
  });

  it('is described to editors as the program reads it: what it takes, they take', () => {
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    let taken = 0;
    for (const block of blocksOfYaml()) {
      if (!isConfiguration(block)) continue;
      const value: unknown = parse(block);
      assert.ok(validate(value), `${block}\n${JSON.stringify(validate.errors)}`);
      taken++;
    }
    assert.ok(taken >= 8, `only ${taken} configurations in the documentation`);
    for (const wrong of [{ stor: 'x' }, { monitor: { jitter: true } }, { serve: { jobs: { fll: 'off' } } }]) {
      assert.equal(validate(wrong), false, JSON.stringify(wrong));
    }
  });

  it('has a row for each variable that the sources read, but for those of every client of PostgreSQL', () => {
    const sources = globSync('src/**/*.ts', { cwd: ROOT, exclude: ['src/postgres/**'] });
    const read = sources.flatMap((path) =>
      [...readFileSync(join(ROOT, path), 'utf8').matchAll(/\benv\.([A-Z][A-Z_]+)/g)].map(([, name]) => name!),
    );
    assert.deepEqual([...new Set(read)].sort(), VARIABLES.map(({ name }) => name).sort());
  });
});

/** What counts where nothing is said, of the keys right below a section. */
function fallbacksOf(section: string): Record<string, unknown> {
  const { below } = sectionsOf(schema).find(({ key }) => key.path === section)!;
  const own = below.filter(({ path, fallback }) => fallback !== undefined && path.split('.').length === 2);
  return Object.fromEntries(own.map(({ path, fallback }) => [path.split('.')[1]!, fallback]));
}

function jobsOf(serve: object) {
  const { listen: _, ...read } = parseConfig(`serve: ${JSON.stringify(serve)}`, 'x').serve!;
  return servedJobs({ serve: read, policy: null, file: 'x' });
}

function disasterOf(disaster: object) {
  const section = parseConfig(`disaster: ${JSON.stringify(disaster)}`, 'x').disaster!;
  const asIs = (address: string) => address;
  return readDisaster(section, { path: 'x', policy: null, resolveVault: asIs, resolveStore: asIs });
}

/** In fences, or indented. */
function blocksOfYaml(): string[] {
  return globSync(['README.md', 'docs/**/*.md'], { cwd: ROOT }).flatMap((path) => {
    const page = readFileSync(join(ROOT, path), 'utf8');
    const fenced = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text]) => text!);
    const indented = [...page.matchAll(/(?:^(?: {4}.*)?\n)+/gm)].map(([text]) => text.replace(/^ {4}/gm, ''));
    return [...fenced, ...indented];
  });
}

function isConfiguration(text: string): boolean {
  try {
    return Object.keys(parseConfig(text, 'x')).length > 0;
  } catch {
    return false;
  }
}
