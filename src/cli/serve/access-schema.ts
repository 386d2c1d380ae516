import { z } from 'zod';
import { isNetwork } from '../../console/access/peers.ts';
import { TOKEN_HASH } from '../../console/access/tokens.ts';

/** What may stand in `serve` of who gets in, and how: read from the first configuration of a daemon that says it. */

/** Names of tokens and groups are shown and logged. */
export function isAccessName(text: string): boolean {
  return /^[^\p{Cc}]{1,100}$/u.test(text);
}

const name = z.string().refine(isAccessName, { error: 'expected a name of 1 to 100 characters' });
const header = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,100}$/, { error: 'expected the name of a header, as X-Forwarded-User' });
const groups = z.array(name).max(1000).optional();

const tokenSchema = z.strictObject({
  name: name.describe('who has it; stands in the audit log'),
  role: z.enum(['viewer', 'operator']).describe('operators start jobs and restores; viewers look'),
  hash: z
    .string()
    .regex(TOKEN_HASH, {
      error: 'expected sha256:… as `eventcore tokens generate` prints it, not the token itself',
    })
    .describe('what `eventcore tokens generate` prints for here; the token itself is never written down'),
});

const proxySchema = z
  .strictObject({
    from: z
      .array(z.string().refine(isNetwork, { error: 'expected an address or a network, as 10.1.0.0/16' }))
      .min(1, { error: 'expected at least one address that the proxy comes from' })
      .max(100)
      .describe('addresses or networks that it comes from: its headers count from there only'),
    user_header: header
      .optional()
      .meta({ description: 'the header that says who it is', default: 'X-Forwarded-User' }),
    groups_header: header
      .optional()
      .meta({ description: 'the header that says in which groups they are', default: 'X-Forwarded-Groups' }),
    operators: groups.describe('groups whose people may start jobs and restores'),
    viewers: groups.describe('groups whose people may look'),
  })
  .refine(({ operators = [], viewers = [] }) => operators.length + viewers.length > 0, {
    error: 'expected a group in `operators` or `viewers`: without one nobody gets in',
  });

const accessSchema = z.strictObject({
  tokens: z
    .array(tokenSchema)
    .max(500)
    .refine((tokens) => new Set(tokens.map((token) => token.name)).size === tokens.length, {
      error: 'expected a name of its own for each token',
    })
    .optional()
    .describe('tokens with which people and programs get in'),
  proxy: proxySchema.optional().describe('a proxy that logs people in'),
});

const tlsSchema = z.strictObject({
  cert: z
    .string()
    .min(1)
    .describe('file of the certificate, with what leads to an authority that browsers know, in PEM'),
  key: z.string().min(1).describe('file of its key, in PEM'),
});

export const accessShape = {
  access: accessSchema.optional().describe('who gets in; left out: whoever is on this host, to look'),
  tls: tlsSchema.optional().describe('answer by TLS'),
  public_url: z
    .string()
    .refine((text) => originOf(text) !== null, {
      error: 'expected scheme, name and port without a path, as https://backups.example.com',
    })
    .optional()
    .describe('what people type to get here, as https://backups.example.com'),
  audit_log: z.string().min(1).optional().describe('file of who did what; left out: lines of the log'),
};

/** Null where it is more, or less, than an origin. */
export function originOf(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const { protocol, origin, href } = new URL(text);
  return (protocol === 'http:' || protocol === 'https:') && href === `${origin}/` ? origin : null;
}

const SHAPES: Readonly<Record<string, object>> = {
  access: accessSchema.shape,
  'access.proxy': proxySchema.shape,
  'access.tokens': tokenSchema.shape,
  tls: tlsSchema.shape,
};

/** The keys that may stand at a place below `serve`; null for what is described elsewhere. */
export function allowedInAccess(path: readonly PropertyKey[]): string[] | null {
  const place = path.filter((key) => typeof key === 'string').join('.');
  const shape = SHAPES[place];
  return shape === undefined ? null : Object.keys(shape);
}
