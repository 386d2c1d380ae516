import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takesAll } from '../../src/recovery/column-drift.ts';

test('a column takes what fits into it, whatever it is', () => {
  const fitting: [to: string, from: string][] = [
    ['bigint', 'bigint'],
    ['bigint', 'smallint'],
    ['numeric', 'integer'],
    ['text', 'numeric(9,3)'],
    ['character varying', 'uuid'],
    ['character varying(20)', 'character varying(9)'],
    ['timestamp with time zone', 'timestamp(3) with time zone'],
    ['double precision', 'real'],
    ['public.happening', 'public.happening'],
  ];
  for (const [to, from] of fitting) assert.ok(takesAll(to, from), `${from} into ${to}`);
});

test('a column that could lose something, or mean another thing, does not', () => {
  const unfit: [to: string, from: string][] = [
    ['integer', 'bigint'],
    ['character varying(5)', 'text'],
    ['character varying(5)', 'character varying(9)'],
    ['timestamp(3) with time zone', 'timestamp with time zone'],
    ['timestamp with time zone', 'timestamp without time zone'],
    ['jsonb', 'json'],
    ['text', 'jsonb'],
    ['text', 'bytea'],
    ['uuid', 'text'],
    ['numeric(9,3)', 'numeric'],
    ['numeric(10,3)', 'numeric(9,3)'],
    ['bigint[]', 'bigint'],
  ];
  for (const [to, from] of unfit) assert.ok(!takesAll(to, from), `${from} into ${to}`);
});
