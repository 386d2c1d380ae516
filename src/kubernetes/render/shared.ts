import { type Manifest, metadataOf, namesOf, type Wanted } from './wanted.ts';

/** What there is however it runs: the configuration, and who the pods are. */

export function configMap(wanted: Wanted): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadataOf(wanted, namesOf(wanted).config),
    data: { [wanted.config.fileName]: wanted.config.text },
  };
}

/** Without rights of its own, and without a token where nobody would ask the API server. */
export function serviceAccount(wanted: Wanted): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: metadataOf(wanted, wanted.name),
    automountServiceAccountToken: false,
  };
}

/** Secrets as they must be, without what is in them. */
export function exampleSecrets(wanted: Wanted): Manifest[] {
  const { secret, files, metrics } = namesOf(wanted);
  // What is in a Secret of others is there already.
  const own = wanted.variables.filter((variable) => !('value' in variable || variable.secret !== undefined));
  const variables = own.map(({ name }) => name);
  return [
    ...secretOf(wanted, secret, variables),
    ...secretOf(
      wanted,
      files,
      wanted.files.map(({ key }) => key),
    ),
    ...secretOf(wanted, metrics, ['token']),
  ];
}

function secretOf(wanted: Wanted, name: string, keys: readonly string[]): Manifest[] {
  if (keys.length === 0) return [];
  const stringData = Object.fromEntries(keys.map((key) => [key, '']));
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: metadataOf(wanted, name), type: 'Opaque', stringData },
  ];
}
