import { drillRoutes } from './pages/drills.ts';
import { integrityRoutes } from './pages/integrity.ts';
import { overviewRoutes } from './pages/overview.ts';
import { regionRoutes } from './pages/regions.ts';
import { storeRoutes } from './pages/store.ts';
import type { Route } from './route.ts';

/** All pages and actions of the console. What is not in this list does not exist. */
export const ROUTES: readonly Route[] = [
  ...overviewRoutes,
  ...storeRoutes,
  ...integrityRoutes,
  ...drillRoutes,
  ...regionRoutes,
];
