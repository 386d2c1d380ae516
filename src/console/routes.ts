import { activityRoutes } from './pages/activity.ts';
import { backupsRoutes } from './pages/backups.ts';
import { drillRoutes } from './pages/drills.ts';
import { integrityRoutes } from './pages/integrity.ts';
import { operationRoutes } from './pages/operation.ts';
import { overviewRoutes } from './pages/overview.ts';
import { regionRoutes } from './pages/regions.ts';
import { restoreRoutes } from './pages/restore.ts';
import { storeRoutes } from './pages/store.ts';
import { streamRoutes } from './pages/streams.ts';
import type { Route } from './route.ts';

/** All pages and actions of the console. What is not in this list does not exist. */
export const ROUTES: readonly Route[] = [
  ...overviewRoutes,
  ...storeRoutes,
  ...backupsRoutes,
  ...restoreRoutes,
  ...streamRoutes,
  ...integrityRoutes,
  ...drillRoutes,
  ...regionRoutes,
  ...activityRoutes,
  ...operationRoutes,
];
