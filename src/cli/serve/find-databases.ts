import { runLimited } from '../../core/concurrency.ts';
import { isBackupError } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import { chooseDatabases } from '../../policy/found-databases.ts';
import { keepFound, type SearchedServer, searchedServers } from '../fleet/found.ts';
import type { FleetSettings } from '../fleet/members.ts';
import { listServerDatabases } from '../wire.ts';
import type { ServeContext } from './log.ts';

/** How databases say that they are stores: `ALTER DATABASE shop SET eventcore.backup = 'on'`. */
const SETTING = 'eventcore.backup';
/** So many servers are asked together. */
const ASKED_AT_ONCE = 4;

/**
 * Looks for stores on the servers of a fleet until the signal fires, and keeps a configuration for each. A server that does not answer
 * changes nothing, and is told once.
 */
export async function keepFinding(
  context: ServeContext,
  settings: () => FleetSettings,
  everyMs: number,
): Promise<void> {
  const { signal } = context;
  /** What was said of a server, by its name. */
  const told = new Map<string, string>();
  while (!signal.aborted) {
    const current = settings();
    await runLimited(searchedServers(current), ASKED_AT_ONCE, async (server) => {
      const trouble = await search(context, server, current.file);
      if (!signal.aborted) tell(context, told, server, trouble);
    });
    await pause(everyMs, signal);
  }
}

/** Why nothing changed that should have; null: all is as the server says. */
async function search(
  { signal }: ServeContext,
  server: SearchedServer,
  common: string,
): Promise<string | null> {
  try {
    const databases = await listServerDatabases(server.address, SETTING, signal);
    return await keepFound(server, chooseDatabases(databases, server.databases ?? []), common);
  } catch (error) {
    if (isBackupError(error)) return `its stores stay as they were: ${error.message}`;
    throw error;
  }
}

function tell(
  { log }: ServeContext,
  told: Map<string, string>,
  { name }: SearchedServer,
  trouble: string | null,
): void {
  const before = told.get(name);
  if (trouble === null) {
    told.delete(name);
    if (before !== undefined) log.info(`server ${name}: it is searched for stores again`);
    return;
  }
  told.set(name, trouble);
  if (before !== trouble) log.error(`server ${name}: ${trouble}`);
}
