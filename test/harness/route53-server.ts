import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** A record of the zone; values as they are given. */
export interface Route53Record {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly values: readonly string[];
  readonly setIdentifier?: string;
}

/** What is done to the next change; then it is well again. */
export type Route53Mood = 'well' | 'throttled' | 'denied' | 'lost_answer' | 'broken_before' | 'silent';

/**
 * A stand-in for Route 53, of which there is none to be had: one hosted zone over HTTP in its XML. A batch of changes is carried out as a
 * whole or not at all; a DELETE must name a record exactly, with its TTL; a CREATE must find none. A change is PENDING until it was asked for
 * `pendingPolls` times. Signatures are not checked.
 */
export interface Route53Server {
  readonly endpoint: string;
  readonly zoneId: string;
  records: Route53Record[];
  mood: Route53Mood;
  pendingPolls: number;
  /** How a batch is refused: as any error, or in a document of its own. Clients of AWS are made for both. */
  refusal: 'error' | 'document';
  /** Of each request, its method and path. */
  readonly log: string[];
  /** Called between a request for a change and its being carried out. */
  beforeChange: (() => void) | null;
  close(): Promise<void>;
}

const ZONE = 'Z0123456789ABCDEFGHIJ';
const XMLNS = 'https://route53.amazonaws.com/doc/2013-04-01/';

export async function startRoute53(records: readonly Route53Record[]): Promise<Route53Server> {
  const polls = new Map<string, number>();
  const world: Omit<Route53Server, 'endpoint' | 'close'> = {
    ...{
      zoneId: ZONE,
      records: [...records],
      mood: 'well',
      pendingPolls: 1,
      refusal: 'error',
      log: [],
      beforeChange: null,
    },
  };
  const server = http.createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts).toString('utf8');
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
    world.log.push(`${request.method} ${pathname}`);
    const reply = (status: number, xml: string): void => {
      response.writeHead(status, { 'content-type': 'text/xml' }).end(`<?xml version="1.0"?>\n${xml}`);
    };
    if (!/Signature=/.test(request.headers.authorization ?? ''))
      return reply(403, errorXml('MissingAuthenticationToken'));
    const change = /^\/2013-04-01\/change\/([A-Z0-9]+)$/.exec(pathname);
    if (change !== null)
      return reply(
        200,
        changeXml('GetChangeResponse', change[1]!, ask(polls, change[1]!, world.pendingPolls)),
      );
    if (!pathname.startsWith(`/2013-04-01/hostedzone/${ZONE}/rrset`))
      return reply(404, errorXml('NoSuchHostedZone'));
    if (request.method === 'GET') return reply(200, listXml(world.records, searchParams.get('name') ?? ''));
    const mood = world.mood;
    world.mood = 'well';
    if (mood === 'silent') return;
    if (mood === 'throttled') return reply(400, errorXml('Throttling'));
    if (mood === 'denied') return reply(403, errorXml('AccessDenied'));
    if (mood === 'broken_before') return void request.socket.destroy();
    world.beforeChange?.();
    const after = carryOut(world.records, body);
    if (typeof after === 'string')
      return reply(400, world.refusal === 'error' ? errorXml('InvalidChangeBatch', after) : batchXml(after));
    world.records = after;
    if (mood === 'lost_answer') return void request.socket.destroy();
    const id = `C${polls.size + 1}`;
    polls.set(id, 0);
    reply(200, changeXml('ChangeResourceRecordSetsResponse', id, 'PENDING'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(world, {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

function ask(polls: Map<string, number>, id: string, pendingPolls: number): 'PENDING' | 'INSYNC' {
  const made = (polls.get(id) ?? 0) + 1;
  polls.set(id, made);
  return made > pendingPolls ? 'INSYNC' : 'PENDING';
}

const keyOf = ({ name, type, setIdentifier = '' }: Route53Record): string =>
  `${name.toLowerCase().replace(/\.$/, '')} ${type} ${setIdentifier}`;

/** The records afterwards, or why nothing of it is done. */
function carryOut(records: readonly Route53Record[], body: string): Route53Record[] | string {
  const after = new Map(records.map((record) => [keyOf(record), record]));
  for (const [, change] of body.matchAll(/<Change>(.*?)<\/Change>/gs)) {
    const record = parseRecord(change!);
    const there = after.get(keyOf(record));
    if (tag(change!, 'Action') === 'DELETE') {
      const isSame = there?.ttl === record.ttl && there.values.join() === record.values.join();
      if (!isSame)
        return `Tried to delete resource record set ${keyOf(record)} but the values provided do not match the current values`;
      after.delete(keyOf(record));
    } else {
      if (there !== undefined)
        return `Tried to create resource record set ${keyOf(record)} but it already exists`;
      const isBeside = [...after.values()].some(
        (one) => one.type === 'CNAME' && keyOf(one).split(' ')[0] === keyOf(record).split(' ')[0],
      );
      if (isBeside)
        return `RRSet of type ${record.type} with DNS name ${record.name} is not permitted as it conflicts with a CNAME`;
      after.set(keyOf(record), record);
    }
  }
  return [...after.values()];
}

function parseRecord(xml: string): Route53Record {
  return {
    ...{ name: tag(xml, 'Name'), type: tag(xml, 'Type'), ttl: Number(tag(xml, 'TTL')) },
    values: [...xml.matchAll(/<Value>(.*?)<\/Value>/gs)].map(([, value]) => value!),
  };
}

function tag(xml: string, name: string): string {
  return new RegExp(`<${name}>(.*?)</${name}>`, 's').exec(xml)?.[1] ?? '';
}

function listXml(records: readonly Route53Record[], from: string): string {
  const start = from.toLowerCase().replace(/\.$/, '');
  const sets = records
    .filter(({ name }) => name.replace(/\.$/, '') >= start)
    .map(({ name, type, ttl, values, setIdentifier }) => {
      const id =
        setIdentifier === undefined
          ? ''
          : `<SetIdentifier>${setIdentifier}</SetIdentifier><Weight>1</Weight>`;
      const list = values.map((value) => `<ResourceRecord><Value>${value}</Value></ResourceRecord>`).join('');
      return `<ResourceRecordSet><Name>${name}.</Name><Type>${type}</Type>${id}<TTL>${ttl}</TTL><ResourceRecords>${list}</ResourceRecords></ResourceRecordSet>`;
    });
  return `<ListResourceRecordSetsResponse xmlns="${XMLNS}"><ResourceRecordSets>${sets.join('')}</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListResourceRecordSetsResponse>`;
}

function changeXml(root: string, id: string, status: string): string {
  return `<${root} xmlns="${XMLNS}"><ChangeInfo><Id>/change/${id}</Id><Status>${status}</Status><SubmittedAt>2026-11-29T12:00:00.000Z</SubmittedAt></ChangeInfo></${root}>`;
}

function errorXml(code: string, message = 'no'): string {
  return `<ErrorResponse xmlns="${XMLNS}"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>1</RequestId></ErrorResponse>`;
}

function batchXml(reason: string): string {
  return `<InvalidChangeBatch xmlns="${XMLNS}"><Messages><Message>${reason}</Message></Messages><RequestId>1</RequestId></InvalidChangeBatch>`;
}
