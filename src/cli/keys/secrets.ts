import { dirname } from 'node:path';
import type { Settings } from '../config/config.ts';
import type { CommandContext } from '../context.ts';
import { loadKeysRoom } from '../wire.ts';

/** Gives the secret that `file:PATH`, `env:NAME` or `command:LINE` names. Throws `usage` or `key_refused`. */
export type ReadSecret = (source: string) => Promise<string>;

/** Paths are seen from the folder. */
export async function secretReader(folder: string, env: CommandContext['env']): Promise<ReadSecret> {
  const { parseSecretSource, readSecret, trimLineEnd } = await loadKeysRoom();
  return async (source) => trimLineEnd(await readSecret(parseSecretSource(source, folder), env));
}

/** What paths in the configuration are seen from. */
export function folderOf({ file }: Pick<Settings, 'file'>, { cwd }: Pick<CommandContext, 'cwd'>): string {
  return file === null ? cwd : dirname(file);
}
