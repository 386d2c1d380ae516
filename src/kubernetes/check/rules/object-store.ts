import { error, type Remark, warning } from '../finding.ts';
import type { FieldPath, Manifest } from '../manifest.ts';
import { flagAt, recordAt, textAt, valueAt } from '../values.ts';

/** A resource of the plugin for Barman Cloud. */
export function checkStoreManifest({ value }: Manifest): Remark[] {
  const configuration = recordAt(value, 'spec', 'configuration');
  const retention = textAt(value, 'spec', 'retentionPolicy');
  const at = ['spec', 'configuration'];
  return [
    ...(configuration === null ? [] : checkObjectStore(configuration, at, { isPlugin: true })),
    ...(retention === null
      ? [
          warning(
            'retention_unused',
            ['spec'],
            'no retention is said: base backups and the log are kept for ever',
            'write spec.retentionPolicy, as 30d, unless rules of the bucket remove what is old',
          ),
        ]
      : checkRetention(retention, ['spec', 'retentionPolicy'])),
  ];
}

/** Where Barman writes, and as whom, in a Cluster or in an ObjectStore. */
export function checkObjectStore(
  store: Record<string, unknown>,
  at: FieldPath,
  { isPlugin }: { readonly isPlugin: boolean },
): Remark[] {
  return [
    ...checkCredentials(store, at, isPlugin),
    ...checkDestination(store, at),
    ...(isPlugin && textAt(store, 'serverName') !== null
      ? [
          error(
            'server_name_forbidden',
            [...at, 'serverName'],
            'an ObjectStore cannot have a serverName: it is refused',
            'write it as a parameter of the plugin in the Cluster',
          ),
        ]
      : []),
  ];
}

const KINDS = ['s3Credentials', 'azureCredentials', 'googleCredentials'] as const;

function checkCredentials(store: Record<string, unknown>, at: FieldPath, isPlugin: boolean): Remark[] {
  const kinds = KINDS.filter((kind) => recordAt(store, kind) !== null);
  const one = `one of ${KINDS.join(', ')}`;
  if (kinds.length > 1) {
    return [error('credentials_invalid', at, `more than one kind of credentials: ${kinds.join(', ')}`, one)];
  }
  if (kinds.length === 0) {
    const hint = `${one}; pods with a role of the cloud: s3Credentials: { inheritFromIAMRole: true }`;
    const make = isPlugin ? warning : error;
    return [make('credentials_invalid', at, 'no credentials are named', hint)];
  }
  return [
    ...checkS3(store, [...at, 's3Credentials']),
    ...checkAzure(store, [...at, 'azureCredentials']),
    ...checkGoogle(store, [...at, 'googleCredentials']),
  ];
}

function checkS3(store: Record<string, unknown>, at: FieldPath): Remark[] {
  const s3 = recordAt(store, 's3Credentials');
  if (s3 === null) return [];
  const [id, key] = [recordAt(s3, 'accessKeyId'), recordAt(s3, 'secretAccessKey')];
  const inherits = flagAt(s3, 'inheritFromIAMRole');
  const hint = 'accessKeyId with secretAccessKey, or inheritFromIAMRole: true';
  if (inherits && (id !== null || key !== null)) {
    return [error('credentials_invalid', at, 'both keys and a role are named', hint)];
  }
  if (!inherits && (id === null) !== (key === null)) {
    return [error('credentials_invalid', at, 'one half of the keys is missing', hint)];
  }
  return inherits || id !== null ? [] : [error('credentials_invalid', at, 'no credentials are named', hint)];
}

function checkAzure(store: Record<string, unknown>, at: FieldPath): Remark[] {
  const azure = recordAt(store, 'azureCredentials');
  if (azure === null) return [];
  const keys = ['storageKey', 'storageSasToken'].filter((key) => recordAt(azure, key) !== null);
  const roles = ['inheritFromAzureAD', 'useDefaultAzureCredentials'].filter((key) => flagAt(azure, key));
  const hasText = recordAt(azure, 'connectionString') !== null;
  const hasAccount = recordAt(azure, 'storageAccount') !== null;
  const ways = keys.length + roles.length;
  if (hasText ? ways > 0 || hasAccount : ways !== 1) {
    const hint =
      'connectionString alone, or one of storageKey, storageSasToken, inheritFromAzureAD, useDefaultAzureCredentials';
    return [error('credentials_invalid', at, 'not one way to sign in, but none or several', hint)];
  }
  return keys.length > 0 && !hasAccount
    ? [error('credentials_invalid', at, `${keys[0]} needs storageAccount`, null)]
    : [];
}

function checkGoogle(store: Record<string, unknown>, at: FieldPath): Remark[] {
  const google = recordAt(store, 'googleCredentials');
  if (google === null) return [];
  const hasSecret = recordAt(google, 'applicationCredentials') !== null;
  if (flagAt(google, 'gkeEnvironment') !== hasSecret) return [];
  const message = hasSecret ? 'both a secret and a role are named' : 'no credentials are named';
  return [error('credentials_invalid', at, message, 'applicationCredentials, or gkeEnvironment: true')];
}

const SCHEMES = {
  s3Credentials: [/^s3:\/\/[^/]/, 's3://bucket/folder'],
  googleCredentials: [/^gs:\/\/[^/]/, 'gs://bucket/folder'],
  azureCredentials: [/^https?:\/\/[^/]/, 'https://account.blob.core.windows.net/container/folder'],
} as const;

function checkDestination(store: Record<string, unknown>, at: FieldPath): Remark[] {
  const destination = textAt(store, 'destinationPath');
  if (destination === null) return [];
  const place = [...at, 'destinationPath'];
  const kind = KINDS.find((name) => valueAt(store, name) !== undefined) ?? 's3Credentials';
  const [pattern, example] = SCHEMES[kind];
  if (pattern.test(destination)) return [];
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(destination)?.[0] ?? '';
  if (/^glacier:/i.test(scheme)) {
    const hint =
      'Glacier is a class of storage of S3: write s3://, and let a rule of the bucket move what is old';
    return [error('destination_invalid', place, 'no address begins with glacier:', hint)];
  }
  const message = `with ${kind}, no address begins with ${JSON.stringify(scheme || destination.slice(0, 20))}`;
  return [error('destination_invalid', place, message, `write ${example}`)];
}

/** Whole days, weeks or months. */
export function checkRetention(policy: string, at: FieldPath): Remark[] {
  if (/^[1-9][0-9]*[dwm]$/.test(policy)) return [];
  const message = `${JSON.stringify(policy)} is no retention: it is refused`;
  return [error('retention_invalid', at, message, retentionHint(policy))];
}

function retentionHint(policy: string): string {
  const years = /^([1-9]\d*)\s*y/i.exec(policy);
  if (years !== null) return `there are no years: write ${Number(years[1]) * 12}m, which are months`;
  const units = /^([1-9]\d*)\s*(d|w|m)/i.exec(policy);
  if (units !== null) return `write ${units[1]}${units[2]!.toLowerCase()}`;
  return 'a number with d, w or m (days, weeks, months), as 30d';
}
