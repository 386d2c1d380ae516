import { formQuery, type RestoreForm } from './restore-form.ts';
import type { Section } from './route.ts';

/** Address of a store's page; `rest` are further parts of the path. */
export function storeLink(store: string, section: Section = 'overview', ...rest: string[]): string {
  const parts = [store, ...(section === 'overview' ? [] : [section]), ...rest];
  return `/stores/${parts.map(encodeURIComponent).join('/')}`;
}

/** The page that shows what a restore of this point takes, at the place where it says so. */
export function pointLink(store: string, form: RestoreForm): string {
  return `${withQuery(storeLink(store, 'restore'), formQuery(form))}#plan`;
}

/** With the parameters that are not null, in their order. */
export function withQuery(link: string, parameters: Readonly<Record<string, string | null>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== null) query.append(name, value);
  return query.size === 0 ? link : `${link}?${query}`;
}
