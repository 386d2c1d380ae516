import { drillRoutes } from './pages/drills.ts';
import { integrityRoutes } from './pages/integrity.ts';
import { regionRoutes } from './pages/regions.ts';
import type { Route } from './route.ts';

/** All pages and actions of the console. What is not in this list does not exist. */
export const ROUTES: readonly Route[] = [...integrityRoutes, ...drillRoutes, ...regionRoutes];
