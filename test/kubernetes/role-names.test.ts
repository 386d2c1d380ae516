/** One set of names for roles of PostgreSQL: docs/roles.md has the rule, and no file goes another way. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { readCluster } from '../harness/cluster-roles.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** `deploy/postgres/JOB.sql` makes `eventcore_JOB`. */
const JOBS = ['backup', 'archive', 'monitor', 'serve', 'restore', 'queue', 'disaster'];
/** Nobody may inherit it. */
const FOLLOWING = ['archive', 'serve'];
/** A recovery asks each server by itself, so a Cluster has no use for that one. */
const IN_CLUSTERS = JOBS.filter((job) => job !== 'disaster');
/** What the group of a job is a member of, in a Cluster. */
const ABOVE: Readonly<Record<string, readonly string[]>> = {
  serve: ['eventcore_backup', 'eventcore_archive', 'eventcore_monitor'],
  restore: ['eventcore'],
};
/** Roles in samples that are not ours: owners of tables, superusers, who may make databases for drills, and words in the place of a name. */
const OTHERS = ['app', 'shop', 'postgres', 'drill', 'user', 'role'];
const CLUSTERS = ['cluster', 'in-tree/cluster', 'two-regions/us-east-1', 'two-regions/us-west-2'];

describe('names of roles', () => {
  it('are a group for each script of SQL, and a login that is a member of it alone', () => {
    const scripts = globSync('deploy/postgres/*.sql', { cwd: ROOT }).map((path) => path.split('/').at(-1)!);
    assert.deepEqual(scripts.sort(), [...JOBS, 'logins', 'public'].map((name) => `${name}.sql`).sort());
    for (const job of JOBS) {
      const [, holder] = /holder text := .*'eventcore\.(\w+)', true\), ''\), 'eventcore_\1'\)/.exec(
        read(`deploy/postgres/${job}.sql`),
      )!;
      assert.equal(holder, job);
    }
    const logins = [
      ...read('deploy/postgres/logins.sql').matchAll(/\('(\w+)_login', 'eventcore_(\w+)', '(\w*)'\)/g),
    ];
    assert.deepEqual(
      logins.map(([, login, group, attribute]) => [login, group, attribute]).sort(),
      JOBS.map((job) => [job, job, FOLLOWING.includes(job) ? 'REPLICATION' : '']).sort(),
    );
  });

  it('are the same in each Cluster, with the Secret of each login', () => {
    for (const path of CLUSTERS) {
      const roles = readCluster(`${path}.yaml`).managed.roles.map(({ connectionLimit: _, ...role }) => role);
      const groups = IN_CLUSTERS.map((job) => ({
        name: `eventcore_${job}`,
        ...(ABOVE[job] === undefined ? {} : { inRoles: ABOVE[job] }),
      }));
      const logins = IN_CLUSTERS.map((job) => ({
        ...{ name: `${job}_login`, login: job !== 'restore', inRoles: [`eventcore_${job}`] },
        ...(FOLLOWING.includes(job) ? { replication: true } : {}),
        ...(job === 'restore' ? {} : { passwordSecret: { name: `eventcore-${job}-login` } }),
      }));
      const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
      assert.deepEqual([...roles].sort(byName), [...groups, ...logins].sort(byName), path);
    }
  });

  it('have Secrets of that name, which say who logs in', () => {
    const secrets = parseAllDocuments(read('deploy/cloudnative-pg/credentials.example.yaml'))
      .map((document) => document.toJS() as { type: string; metadata: { name: string }; stringData: object })
      .filter(({ type }) => type === 'kubernetes.io/basic-auth');
    assert.deepEqual(
      secrets.map(({ metadata, stringData }) => [metadata.name, stringData]).sort(),
      IN_CLUSTERS.map((job) => [`eventcore-${job}-login`, { username: `${job}_login`, password: '' }]).sort(),
    );
  });

  it('are the only ones in addresses, statements and Secrets of all files', () => {
    const strays = filesWithNames().flatMap((path) => straysIn(read(path)).map((name) => `${path}: ${name}`));
    assert.deepEqual(strays, []);
  });

  it('would be missed, were they others', () => {
    const text = `postgres://backup@db/shop GRANT SELECT ON x TO eventcore_reader; CREATE ROLE serve; worker_login eventcore-daemon-login`;
    assert.deepEqual(straysIn(text).sort(), [
      ...['backup', 'eventcore-daemon-login', 'eventcore_reader', 'serve', 'worker_login'],
    ]);
  });
});

function filesWithNames(): string[] {
  const files = globSync(
    ['deploy/**/*', 'docs/**/*.md', 'src/**/*.ts', 'examples/**/*', 'README.md', 'SECURITY.md'],
    { cwd: ROOT, exclude: ['**/node_modules/**'] },
  );
  return files.filter((path) => /\.(md|ts|sql|ya?ml|json|tpl|txt)$/i.test(path));
}

/** Names of roles, and of Secrets of logins, that the rule does not know. */
function straysIn(text: string): string[] {
  const known = new Set([
    ...JOBS.flatMap((job) => [`eventcore_${job}`, `${job}_login`, `eventcore-${job}-login`]),
    ...['eventcore', 'JOB_login', 'eventcore-JOB-login', ...OTHERS],
  ]);
  const found = [
    /postgres(?:ql)?:\/\/([A-Za-z_]\w*)(?::[^@\s/]*)?@/g,
    /\b([A-Za-z]+_login)\b/g,
    /\b(eventcore-[A-Za-z]+-login)\b/g,
    /\b(?:CREATE|ALTER) ROLE "?([a-z]\w*)/g,
    /\bIN ROLE "?([a-z]\w*)/g,
    /\bGRANT [^;]*? TO "?([a-z]\w*)/g,
  ].flatMap((pattern) => [...text.matchAll(pattern)].map(([, name]) => name!));
  return [...new Set(found)].filter((name) => !known.has(name));
}
