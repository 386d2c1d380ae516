import type pg from 'pg';

/** A column that a row can be written into. */
export interface TargetColumn {
  readonly name: string;
  /** As format_type() spells it. */
  readonly type: string;
  /** A row may come without a value for it. */
  readonly isOptional: boolean;
  /** SQL that gives its value where a row has none; null: NULL. */
  readonly byDefault: string | null;
}

/** All columns of a table but those that the server makes by itself. */
export async function readTargetColumns(client: pg.Client, oid: string): Promise<TargetColumn[]> {
  const { rows } = await client.query<TargetColumn>(
    `SELECT attname AS name, format_type(atttypid, atttypmod) AS type,
            NOT attnotnull OR atthasdef OR attidentity <> '' AS "isOptional",
            CASE WHEN attidentity <> '' THEN format('nextval(pg_get_serial_sequence(%L, %L))', attrelid::regclass, attname)
                 ELSE pg_get_expr(adbin, adrelid) END AS "byDefault"
       FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
      ORDER BY attnum`,
    [oid],
  );
  return rows;
}
