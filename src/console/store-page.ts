import { html } from 'hono/html';
import type { ConsoleStore } from './ports.ts';
import type { Html, Reply, Section, Visit } from './route.ts';

export interface StorePage {
  readonly title: string;
  readonly section: Section;
  readonly body: Html;
  readonly status?: 200 | 400 | 404 | 409;
}

/** A page about the store that the address names, or one that says that there is none of that name. */
export async function storePage(
  visit: Visit,
  make: (store: ConsoleStore) => StorePage | Promise<StorePage>,
): Promise<Reply> {
  const name = visit.param('store');
  const store = visit.ports.stores().find((one) => one.name === name);
  if (store === undefined) return noSuchStore(name);
  visit.ports.look(name);
  return { kind: 'page', store: store.name, ...(await make(store)) };
}

function noSuchStore(name: string): Reply {
  const body = html`<p class="empty">This daemon serves no store that is called ${name}. <a href="/">All stores</a></p>`;
  return { ...{ kind: 'page', title: 'No such store', section: null, store: null, status: 404 }, body };
}
