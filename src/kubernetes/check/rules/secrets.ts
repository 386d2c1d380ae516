import { type Remark, warning } from '../finding.ts';
import { type FieldPath, isRecord, type Manifest } from '../manifest.ts';
import { recordAt, textAt } from '../values.ts';

/** Secrets that stand in a manifest, where whoever reads the repository has them. Never quotes one. */
export function checkSecretValues(manifest: Manifest): Remark[] {
  if (recordAt(manifest.value, 'sops') !== null) return [];
  return [...(manifest.kind === 'Secret' ? checkSecret(manifest) : []), ...checkTexts(manifest.value, [])];
}

/** What a Secret has beside what is secret. */
const OPEN = /^(user(name)?|host(name)?|port|db(name)?|database|region|endpoint|type|.*\.(crt|pem|pub))$/i;

function checkSecret({ value }: Manifest): Remark[] {
  if (textAt(value, 'type') === 'kubernetes.io/service-account-token') return [];
  return ['data', 'stringData'].flatMap((section) => {
    const entries = Object.entries(recordAt(value, section) ?? {});
    return entries.flatMap(([key, text]) =>
      OPEN.test(key) || !isLiteral(text)
        ? []
        : [warning('secret_literal', [section, key], `the value of ${key} stands in the file`, SECRET_HINT)],
    );
  });
}

const SECRET_HINT =
  'make it with `kubectl create secret --from-file`, or keep it sealed (External Secrets, Sealed Secrets, SOPS); change it where the file was shared';

/** What will be put in its place later, or is sealed, is no secret. */
function isLiteral(text: unknown): boolean {
  if (typeof text !== 'string' || text.trim() === '') return false;
  return !/^(<.*>|\$\{.*\}|\$\(.*\)|\{\{.*\}\}|ENC\[.*\]|change-?me|replace-?me|x{3,}|\.{3}|…)$/is.test(
    text.trim(),
  );
}

const SECRET_NAME = /(PASSWORD|PASSPHRASE|SECRET|TOKEN|ACCESS_KEY|PRIVATE_KEY)/i;
const DEEPEST = 40;

/** Passwords in addresses anywhere, and environment variables that are given a secret as they stand. */
function checkTexts(value: unknown, at: FieldPath): Remark[] {
  if (at.length > DEEPEST) return [];
  if (typeof value === 'string') return checkAddress(value, at);
  if (Array.isArray(value)) return value.flatMap((inner: unknown, i) => checkTexts(inner, [...at, i]));
  if (!isRecord(value)) return [];
  return [
    ...checkVariable(value, at),
    ...Object.entries(value).flatMap(([key, inner]) => checkTexts(inner, [...at, key])),
  ];
}

function checkVariable(value: Record<string, unknown>, at: FieldPath): Remark[] {
  const name = textAt(value, 'name') ?? '';
  const isVariable = ['env', 'connectionParameters'].includes(String(at.at(-2)));
  const named = isVariable && SECRET_NAME.test(name) && !/(_FILE|_NAME|_PATH)$/i.test(name);
  const message = `the value of ${name} stands in the file`;
  if (named && isLiteral(value.value))
    return [warning('secret_literal', [...at, 'value'], message, ENV_HINT)];
  if (at.at(-1) !== 'connectionParameters' || !isLiteral(value.password)) return [];
  return [
    warning(
      'secret_literal',
      [...at, 'password'],
      'a password stands in the file',
      'name a Secret with `password: { name, key }` beside connectionParameters',
    ),
  ];
}

const ENV_HINT = 'take it from a Secret: valueFrom.secretKeyRef';

function checkAddress(text: string, at: FieldPath): Remark[] {
  const password = /\b[a-z][a-z0-9+.-]*:\/\/[^\s:/?#"'@]*:([^\s"'@/]+)@/i.exec(text)?.[1];
  if (password === undefined || !isLiteral(password)) return [];
  // Of a Secret it is said already.
  if (at[0] === 'stringData') return [];
  return [
    warning(
      'secret_literal',
      at,
      'an address has a password in it',
      'leave it out, and give it by PGPASSFILE or a Secret',
    ),
  ];
}
