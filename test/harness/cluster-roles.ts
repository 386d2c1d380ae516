import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { parseAllDocuments } from 'yaml';
import type { TestPostgres } from './postgres.ts';

/** What CloudNativePG makes of a Cluster's roles, and what the Job beside it grants, on a server of a test. */

const PLACE = join(import.meta.dirname, '../../deploy/cloudnative-pg');
const run = promisify(execFile);

export interface ManagedRole {
  readonly name: string;
  readonly login?: boolean;
  readonly replication?: boolean;
  readonly inRoles?: readonly string[];
  readonly connectionLimit?: number;
  readonly passwordSecret?: { readonly name: string };
}

interface Cluster {
  readonly spec: {
    readonly bootstrap: {
      readonly initdb?: {
        readonly database: string;
        readonly owner: string;
        readonly postInitApplicationSQL: readonly string[];
      };
    };
    readonly managed: { readonly roles: readonly ManagedRole[] };
  };
}

interface RolesJob {
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template: {
      readonly spec: { readonly containers: readonly [{ readonly command: readonly string[] }] };
    };
  };
}

function documentsOf<Shape>(path: string): Shape[] {
  return parseAllDocuments(readFileSync(join(PLACE, path), 'utf8')).map(
    (document) => document.toJS() as Shape,
  );
}

export function readCluster(path: string): Cluster['spec'] {
  return documentsOf<Cluster>(path)[0]!.spec;
}

/** As the bootstrap does: the database and its owner, and what the manifest says further, as superuser. */
export async function bootstrap(server: TestPostgres, { bootstrap: { initdb } }: Cluster['spec']) {
  const { owner, database, postInitApplicationSQL } = initdb!;
  await server.exec(`CREATE ROLE ${owner} LOGIN`);
  await server.exec(`CREATE DATABASE ${database} OWNER ${owner}`);
  for (const sql of postInitApplicationSQL) await server.exec(sql, database);
  return { owner, database };
}

/** As the operator does again and again: attributes as they are said or left out, and no membership but those that are said. */
export async function reconcileRoles(server: TestPostgres, roles: readonly ManagedRole[]): Promise<void> {
  const there = new Set((await server.exec('SELECT rolname FROM pg_roles')).map(({ rolname }) => rolname));
  for (const { name, login, replication, connectionLimit = -1 } of roles) {
    const attributes = [login ? 'LOGIN' : 'NOLOGIN', replication ? 'REPLICATION' : 'NOREPLICATION'];
    const rest = `NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT NOBYPASSRLS CONNECTION LIMIT ${connectionLimit}`;
    const verb = there.has(name) ? 'ALTER' : 'CREATE';
    await server.exec(`${verb} ROLE ${name} ${attributes.join(' ')} ${rest}`);
  }
  for (const { name, inRoles = [] } of roles) {
    const member = `SELECT roleid::regrole::text AS role FROM pg_auth_members WHERE member = '${name}'::regrole`;
    const has = (await server.exec(member)).map(({ role }) => String(role));
    for (const role of inRoles.filter((wanted) => !has.includes(wanted)))
      await server.exec(`GRANT ${role} TO ${name}`);
    for (const role of has.filter((known) => !inRoles.includes(known)))
      await server.exec(`REVOKE ${role} FROM ${name}`);
  }
}

/** The Job's own words, as the owner: with psql where there is one, else its scripts in their order. Rejects as the Job fails. */
export async function runRolesJob(server: TestPostgres, owner: string, database: string): Promise<void> {
  const documents = documentsOf<RolesJob>('roles.yaml');
  const scripts = documents.find(({ data }) => data !== undefined)!.data!;
  const [{ command }] = documents.find(({ spec }) => spec !== undefined)!.spec!.template.spec.containers;
  const [program, ...words] = command;
  if (spawnSync(program!, ['--version']).status !== 0) {
    const names = words.flatMap((word) => (word.startsWith(FOLDER) ? [word.slice(FOLDER.length)] : []));
    return runAs(server.address(database, owner), names.map((name) => scripts[name]!).join(''));
  }
  const folder = mkdtempSync(join(tmpdir(), 'eventcore-roles-'));
  try {
    for (const [name, text] of Object.entries(scripts)) writeFileSync(join(folder, name), text);
    const place = { PGHOST: server.host, PGPORT: String(server.port) };
    await run(
      program!,
      words.map((word) => word.replace(FOLDER, `${folder}/`)),
      { env: { ...process.env, ...place, PGUSER: owner, PGDATABASE: database } },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const FOLDER = '/sql/';

async function runAs(address: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}
