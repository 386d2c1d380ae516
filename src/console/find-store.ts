import { html } from 'hono/html';
import type { ConsoleStore } from './ports.ts';
import type { Reply, Visit } from './route.ts';

/** The store that an address names; null: there is none (any more). */
export function findStore({ ports, param }: Pick<Visit, 'ports' | 'param'>): ConsoleStore | null {
  return ports.stores().find(({ name }) => name === param('store')) ?? null;
}

/** What there is nothing to show of. */
export function notFound(text: string): Reply {
  return {
    ...{ kind: 'page', title: 'Not found', section: null, store: null, status: 404 },
    body: html`<p class="lead">${text}</p><p><a href="/">All stores</a></p>`,
  };
}

/** Gives a page of one store, or says that there is none of that name. */
export function withStore(
  page: (visit: Visit, store: ConsoleStore) => Promise<Reply> | Reply,
): (visit: Visit) => Promise<Reply> | Reply {
  return (visit) => {
    const store = findStore(visit);
    return store === null ? notFound('This daemon serves no store of that name.') : page(visit, store);
  };
}
