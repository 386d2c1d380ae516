import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The folder of the programs of PostgreSQL: `PG_BIN`, the path, then where Debian keeps them. Null when there are none. */
export function findPostgresPrograms(env: Readonly<Record<string, string | undefined>>): string | null {
  const installed = '/usr/lib/postgresql';
  const versions = existsSync(installed) ? readdirSync(installed) : [];
  const folders = [
    ...(env.PG_BIN ? [env.PG_BIN] : []),
    ...(env.PATH ?? '').split(delimiter),
    ...versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(installed, version, 'bin')),
  ];
  const isComplete = (folder: string): boolean =>
    folder !== '' && ['initdb', 'postgres'].every((program) => existsSync(join(folder, program)));
  return folders.find(isComplete) ?? null;
}
