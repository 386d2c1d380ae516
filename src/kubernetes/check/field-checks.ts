import { type Field, type Fields, KNOWN_KINDS } from './fields.ts';
import { error, pathText, type Remark } from './finding.ts';
import { type FieldPath, isRecord, type Manifest } from './manifest.ts';
import { placeFor } from './misplaced.ts';

const TOP = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];

/**
 * Whether what stands in a manifest are fields of its kind, with values that they take. The API server refuses what is not for `kubectl`, and
 * drops it without a word for most others. Nothing of kinds that are not known.
 */
export function checkFields(manifest: Manifest): Remark[] {
  const { apiVersion, kind, value } = manifest;
  const known = KNOWN_KINDS[`${apiVersion} ${kind}`];
  if (known === undefined) return checkVersion(manifest);
  const spec = value.spec;
  const tops = Object.keys(value).filter((key) => !TOP.includes(key));
  const unknown = tops.map((key) => unknownField(manifest, [key], value[key], TOP));
  if (!isRecord(spec)) return [...unknown, error('field_missing', [], `it has no spec: a ${kind} needs one`)];
  return [...unknown, ...checkRecord(manifest, spec, ['spec'], known)];
}

/** A kind of theirs under another version is not theirs, and nothing would look at it. */
function checkVersion({ apiVersion, kind }: Manifest): Remark[] {
  const right = Object.keys(KNOWN_KINDS).find((key) => key.endsWith(` ${kind}`));
  if (right === undefined || !apiVersion.includes('cnpg.io')) return [];
  const version = right.split(' ')[0]!;
  return [
    error(
      'field_value',
      ['apiVersion'],
      `there is no ${kind} in ${apiVersion}`,
      `write apiVersion: ${version}`,
    ),
  ];
}

function checkRecord(
  manifest: Manifest,
  value: Record<string, unknown>,
  at: FieldPath,
  { fields, needs = [] }: { readonly fields: Fields; readonly needs?: readonly string[] },
): Remark[] {
  const missing = needs.filter((key) => value[key] === undefined || value[key] === null);
  return [
    ...missing.map((key) => error('field_missing', at, `\`${pathText([...at, key])}\` is missing`)),
    ...Object.entries(value).flatMap(([key, inner]) => {
      const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
      if (field === undefined) return [unknownField(manifest, [...at, key], inner, Object.keys(fields))];
      return checkField(manifest, inner, [...at, key], field);
    }),
  ];
}

/** Null is as if nothing were there. */
function checkField(manifest: Manifest, value: unknown, at: FieldPath, field: Field): Remark[] {
  if (value === null || value === undefined || field === 'any') return [];
  if (field === 'texts' || field === 'text map') return checkTexts(value, at, field === 'texts');
  if (typeof field === 'string') {
    const expected = TYPES[field](value);
    return expected === null ? [] : [wrongType(at, expected)];
  }
  if ('oneOf' in field) return checkWord(value, at, field.oneOf);
  if ('atLeast' in field) return checkWhole(value, at, field.atLeast);
  if ('fields' in field) {
    return isRecord(value) ? checkRecord(manifest, value, at, field) : [wrongType(at, 'fields of its own')];
  }
  if (!Array.isArray(value)) return [wrongType(at, 'a list')];
  return value.flatMap((inner: unknown, i) => checkField(manifest, inner, [...at, i], field.each));
}

/** What is expected in place of a value; null where it is right. */
const TYPES = {
  text: (value: unknown) =>
    typeof value === 'string' ? null : 'a text: put quotation marks around it, if it is one',
  flag: (value: unknown) => (typeof value === 'boolean' ? null : 'true or false, without quotation marks'),
  whole: (value: unknown) => (Number.isInteger(value) ? null : 'a whole number, without quotation marks'),
};

function checkTexts(value: unknown, at: FieldPath, isList: boolean): Remark[] {
  if (Array.isArray(value) !== isList || typeof value !== 'object' || value === null) {
    return [wrongType(at, isList ? 'a list of texts' : 'names with texts')];
  }
  return Object.entries(value).flatMap(([key, inner]) => {
    const expected = TYPES.text(inner);
    return expected === null ? [] : [wrongType([...at, isList ? Number(key) : key], expected)];
  });
}

function wrongType(at: FieldPath, expected: string): Remark {
  return error('field_type', at, `\`${pathText(at)}\` is of the wrong type`, `expected ${expected}`);
}

function checkWord(value: unknown, at: FieldPath, words: readonly string[]): Remark[] {
  if (typeof value === 'string' && words.includes(value)) return [];
  const hint = `one of ${words.join(', ')}`;
  return [error('field_value', at, `\`${pathText(at)}\` cannot be ${JSON.stringify(value)}`, hint)];
}

function checkWhole(value: unknown, at: FieldPath, least: number): Remark[] {
  const expected = TYPES.whole(value);
  if (expected !== null) return [wrongType(at, expected)];
  if ((value as number) >= least) return [];
  return [error('field_value', at, `\`${pathText(at)}\` cannot be ${String(value)}`, `at least ${least}`)];
}

function unknownField(
  { apiVersion, kind }: Manifest,
  at: FieldPath,
  value: unknown,
  siblings: readonly string[],
): Remark {
  const inner = isRecord(value) ? Object.keys(value) : [];
  const lost = inner.length === 0 ? '' : ` with what is in it: ${inner.join(', ')}`;
  const hint = placeFor(`${apiVersion} ${kind}`, at, siblings);
  return error(
    'field_unknown',
    at,
    `a ${kind} has no field \`${pathText(at)}\`: it is refused, or dropped${lost}`,
    hint,
  );
}
