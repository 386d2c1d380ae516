import type { RegionServer } from '../../core/disaster-ports.ts';
import { openRegionServer } from '../wire.ts';
import type { DisasterSettings } from './config.ts';

/** All servers of the configuration. Nothing is connected before it is asked. */
export async function withRegionServers<Result>(
  { regions }: Pick<DisasterSettings, 'regions'>,
  work: (servers: readonly RegionServer[]) => Promise<Result>,
): Promise<Result> {
  const places = regions.flatMap(({ region, servers }) =>
    servers.map(({ address }) => ({ region, address })),
  );
  const servers = await Promise.all(places.map(openRegionServer));
  try {
    return await work(servers);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}
