import type { HtmlEscapedString } from 'hono/utils/html';
import type { ConsolePorts } from './ports.ts';

/** Who may see or do something. Each may do all that the one before may. */
export type Role = 'anyone' | 'viewer' | 'operator';

/**
 * One page or action of the console. All of them are in one list (`routes.ts`), which access is checked by and tests are made of: a page that is
 * not in it does not exist.
 */
export interface Route {
  /** GET never changes anything; POST does, and only with the form token of who sends it. */
  readonly method: 'GET' | 'POST';
  /** As hono reads it: `/stores/:store/backups`. */
  readonly path: string;
  readonly role: Role;
  readonly handle: (visit: Visit) => Promise<Reply> | Reply;
}

/** A request that was let in. */
export interface Visit {
  readonly ports: ConsolePorts;
  readonly who: Who;
  /** The hidden field `form_token` of every form. */
  readonly formToken: string;
  /** Of the path, decoded; '' where it has no such part. */
  readonly param: (name: string) => string;
  /** Of the query; null where it is not there. */
  readonly query: (name: string) => string | null;
  /** Of a POST, bounded; null where it is not there. */
  readonly field: (name: string) => string | null;
}

export interface Who {
  /** `somebody` on this host, where nobody has to log in. */
  readonly name: string;
  readonly role: Exclude<Role, 'anyone'>;
  /** There is a session to end. */
  readonly canLogOut: boolean;
}

/** Text of a page that is safe as it stands: made by hono's `html`, which escapes what is put in. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

export type Reply =
  | {
      readonly kind: 'page';
      /** Without the name of the program. */
      readonly title: string;
      /** Which of the store's pages it is; null: none. */
      readonly section: Section | null;
      /** Whose page it is; null: of none. */
      readonly store: string | null;
      readonly body: Html;
      readonly status?: 200 | 400 | 404 | 409 | 429 | 503;
    }
  /** After an action: the page that shows what came of it. Only within the console. */
  | { readonly kind: 'redirect'; readonly to: string };

export const SECTIONS = [
  'overview',
  'backups',
  'restore',
  'streams',
  'integrity',
  'drills',
  'regions',
  'activity',
] as const;
export type Section = (typeof SECTIONS)[number];
