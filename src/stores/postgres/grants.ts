import type pg from 'pg';

/** A right on a table. */
export interface Grant {
  /** A quoted name, or PUBLIC. */
  readonly grantee: string;
  readonly privilege: string;
  readonly grantable: boolean;
}

/** The quoted name of a table's owner. */
export async function readOwner(client: pg.Client, table: string): Promise<string> {
  const { rows } = await client.query<{ owner: string }>(
    'SELECT quote_ident(pg_get_userbyid(relowner)) AS owner FROM pg_class WHERE oid = $1::regclass',
    [table],
  );
  return rows[0]!.owner;
}

/** The rights on a table; where none were ever granted or revoked, those that its owner has. */
export async function readGrants(client: pg.Client, table: string): Promise<Grant[]> {
  const { rows } = await client.query<Grant>(
    `SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS grantee,
            privilege_type AS privilege, is_grantable AS grantable
       FROM pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner)))
      WHERE pg_class.oid = $1::regclass`,
    [table],
  );
  return rows;
}

/** Gives a table of ours exactly these rights: default privileges may have given it others. */
export async function writeGrants(client: pg.Client, table: string, grants: readonly Grant[]): Promise<void> {
  const present = await readGrants(client, table);
  if (sameGrants(present, grants)) return;
  for (const grantee of new Set(present.map((grant) => grant.grantee))) {
    await client.query(`REVOKE ALL ON ${table} FROM ${grantee}`);
  }
  for (const { grantee, privilege, grantable } of grants) {
    await client.query(
      `GRANT ${privilege} ON ${table} TO ${grantee}${grantable ? ' WITH GRANT OPTION' : ''}`,
    );
  }
}

function sameGrants(a: readonly Grant[], b: readonly Grant[]): boolean {
  const spell = (grants: readonly Grant[]): string =>
    grants
      .map(({ grantee, privilege, grantable }) => `${grantee} ${privilege} ${grantable}`)
      .sort()
      .join('\n');
  return spell(a) === spell(b);
}
