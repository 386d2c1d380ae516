import type { Route } from './route.ts';

/** All pages and actions of the console. What is not in this list does not exist. */
export const ROUTES: readonly Route[] = [];
