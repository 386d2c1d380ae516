import { type Chance, hex8, isoTime, money, oneIn, person, pick, skewed, unixMs, uuid } from './chance.ts';
import type { Domain, Stream } from './streams.ts';
import { ADJECTIVES, CITIES, COUNTRIES, NOUNS, REMARKS, STREETS, USER_AGENTS } from './words.ts';

/** A kind of event; `data` makes the JSON text of one. */
interface EventType {
  readonly name: string;
  readonly data: (chance: Chance, stream: Stream) => string;
}

/** The type of a stream's next event: the first of its domain opens it, the later in the list the more often. */
export function nextType(chance: Chance, { domain, nextVersion }: Stream): EventType {
  const [opening, ...others] = EVENT_TYPES[domain];
  if (nextVersion === 1) return opening;
  const place = chance.random.unit();
  return others[place < 0.2 ? 0 : place < 0.5 ? 1 : 2]!;
}

/** 24 types, four for each domain. */
export const EVENT_TYPES: Readonly<Record<Domain, readonly [EventType, EventType, EventType, EventType]>> = {
  account: [
    { name: 'AccountOpened', data: accountOpened },
    { name: 'TransferSent', data: transferSent },
    { name: 'MoneyWithdrawn', data: moneyWithdrawn },
    { name: 'MoneyDeposited', data: moneyDeposited },
  ],
  customer: [
    { name: 'CustomerRegistered', data: customerRegistered },
    { name: 'ConsentGiven', data: consentGiven },
    { name: 'AddressChanged', data: addressChanged },
    { name: 'LoginSucceeded', data: loginSucceeded },
  ],
  device: [
    { name: 'DeviceInstalled', data: deviceInstalled },
    { name: 'AlarmRaised', data: alarmRaised },
    { name: 'FirmwareUpdated', data: firmwareUpdated },
    { name: 'ReadingTaken', data: readingTaken },
  ],
  order: [
    { name: 'OrderPlaced', data: orderPlaced },
    { name: 'PaymentCaptured', data: paymentCaptured },
    { name: 'OrderShipped', data: orderShipped },
    { name: 'OrderLineChanged', data: orderLineChanged },
  ],
  stock: [
    { name: 'StockItemListed', data: stockItemListed },
    { name: 'StockAdjusted', data: stockAdjusted },
    { name: 'GoodsReceived', data: goodsReceived },
    { name: 'StockReserved', data: stockReserved },
  ],
  ticket: [
    { name: 'TicketOpened', data: ticketOpened },
    { name: 'TicketAssigned', data: ticketAssigned },
    { name: 'TicketRated', data: ticketRated },
    { name: 'MessagePosted', data: messagePosted },
  ],
};

const CURRENCIES = ['EUR', 'EUR', 'EUR', 'CHF', 'GBP', 'SEK'];
const METHODS = ['card', 'sepa', 'invoice', 'wallet'];
const CHANNELS = ['web', 'app', 'branch', 'phone', 'partner'];
const CARRIERS = ['dhl', 'postnord', 'chronopost', 'own-van'];
const UNITS = ['celsius', 'kilowatt', 'percent', 'bar'];
const SEVERITIES = ['low', 'medium', 'high'];

function accountOpened(chance: Chance, { key }: Stream): string {
  const referrer = oneIn(chance, 4) ? `,"referrer":"${uuid(chance)}"` : '';
  return `{"accountId":"${key}","holder":{"name":"${person(chance)}","country":"${pick(chance, COUNTRIES)}"},"currency":"${pick(chance, CURRENCIES)}","limits":{"daily":${1000 + 500 * chance.random.below(20)},"single":${250 * (1 + chance.random.below(8))}},"contractId":"${uuid(chance)}"${referrer},"openedAt":"${isoTime(chance)}"}`;
}

function transferSent(chance: Chance, stream: Stream): string {
  const amount = money(chance, 4000);
  stream.level -= Math.floor(Number(amount));
  const purpose = oneIn(chance, 3) ? `,"purpose":"${pick(chance, REMARKS)}"` : '';
  return `{"accountId":"${stream.key}","transferId":"${uuid(chance)}","to":{"iban":"DE${10 + chance.random.below(90)}${1e9 + chance.random.below(9e8)}${1e8 + chance.random.below(9e8)}","name":"${person(chance)}"},"amount":${amount},"balance":${stream.level}${purpose},"sentAt":"${isoTime(chance)}"}`;
}

function moneyWithdrawn(chance: Chance, stream: Stream): string {
  const amount = 10 * (1 + skewed(chance, 60));
  stream.level -= amount;
  return `{"accountId":"${stream.key}","amount":${amount},"balance":${stream.level},"terminal":{"id":"T${1000 + chance.random.below(9000)}","city":"${pick(chance, CITIES)}"},"reference":"${uuid(chance)}","fee":${oneIn(chance, 8) ? '4.90' : '0'},"contactless":${oneIn(chance, 2)},"bookedAt":${unixMs(chance)}}`;
}

function moneyDeposited(chance: Chance, stream: Stream): string {
  const amount = money(chance, 9000);
  stream.level += Math.floor(Number(amount));
  const note = oneIn(chance, 5) ? `"${pick(chance, REMARKS)}"` : 'null';
  return `{"accountId":"${stream.key}","amount":${amount},"balance":${stream.level},"source":{"kind":"${pick(chance, METHODS)}","country":"${pick(chance, COUNTRIES)}","reference":"${uuid(chance)}"},"note":${note},"bookedAt":${unixMs(chance, skewed(chance, 90_000))}}`;
}

function customerRegistered(chance: Chance, { key }: Stream): string {
  const name = person(chance);
  return `{"customerId":"${key}","name":"${name}","email":"${hex8(chance)}@example.org","address":${address(chance)},"newsletter":${oneIn(chance, 3)},"channel":"${pick(chance, CHANNELS)}","externalId":"${uuid(chance)}","registeredAt":"${isoTime(chance)}"}`;
}

function consentGiven(chance: Chance, { key }: Stream): string {
  const purposes = list(chance, 3, () => `"${pick(chance, CHANNELS)}"`);
  return `{"customerId":"${key}","consentId":"${uuid(chance)}","purposes":${purposes},"document":{"name":"privacy","version":${1 + chance.random.below(12)}},"ip":"10.${chance.random.below(256)}.${chance.random.below(256)}.${chance.random.below(256)}","givenAt":"${isoTime(chance)}"}`;
}

function addressChanged(chance: Chance, { key, nextVersion }: Stream): string {
  const reason = oneIn(chance, 2) ? ',"reason":"moved"' : '';
  return `{"customerId":"${key}","revision":${nextVersion},"address":${address(chance)}${reason},"verification":{"id":"${uuid(chance)}","score":0.${100 + chance.random.below(900)}},"changedAt":"${isoTime(chance)}"}`;
}

function loginSucceeded(chance: Chance, { key }: Stream): string {
  const factor = oneIn(chance, 3) ? ',"secondFactor":"totp"' : '';
  return `{"customerId":"${key}","sessionId":"${uuid(chance)}","userAgent":"${pick(chance, USER_AGENTS)}","ip":"10.${chance.random.below(256)}.${chance.random.below(256)}.${chance.random.below(256)}"${factor},"at":${unixMs(chance)}}`;
}

function deviceInstalled(chance: Chance, { key }: Stream): string {
  return `{"deviceId":"${key}","serial":"${uuid(chance)}","model":"${pick(chance, ADJECTIVES)}-${chance.random.below(40)}","site":{"city":"${pick(chance, CITIES)}","latitude":${latitude(chance)},"longitude":${longitude(chance)}},"firmware":"${firmware(chance)}","installedBy":"${person(chance)}","installedAt":"${isoTime(chance)}"}`;
}

function alarmRaised(chance: Chance, stream: Stream): string {
  const acknowledged = oneIn(chance, 2);
  const by = acknowledged ? `,"acknowledgedBy":"${person(chance)}"` : '';
  return `{"deviceId":"${stream.key}","alarmId":"${uuid(chance)}","severity":"${pick(chance, SEVERITIES)}","code":${100 + chance.random.below(60)},"threshold":${50 + 5 * chance.random.below(10)},"measured":${tenths(chance, 1200)},"acknowledged":${acknowledged}${by},"raisedAt":"${isoTime(chance)}"}`;
}

function firmwareUpdated(chance: Chance, { key }: Stream): string {
  return `{"deviceId":"${key}","from":"${firmware(chance)}","to":"${firmware(chance)}","campaign":{"id":"${uuid(chance)}","wave":${1 + chance.random.below(9)}},"sizeBytes":${1_000_000 + chance.random.below(4_000_000)},"rebooted":${oneIn(chance, 2)},"durationMs":${2000 + skewed(chance, 60_000)},"at":${unixMs(chance)}}`;
}

function readingTaken(chance: Chance, stream: Stream): string {
  stream.level += chance.random.below(50);
  const readings = list(
    chance,
    4,
    () =>
      `{"sensor":${chance.random.below(8)},"unit":"${pick(chance, UNITS)}","value":${tenths(chance, 1000)}}`,
  );
  return `{"deviceId":"${stream.key}","sequence":${stream.level},"readings":${readings},"battery":${chance.random.below(101)},"signalDbm":-${40 + chance.random.below(60)},"messageId":"${uuid(chance)}","takenAt":${unixMs(chance, skewed(chance, 30_000))}}`;
}

function orderPlaced(chance: Chance, { key }: Stream): string {
  const lines = list(
    chance,
    4,
    () =>
      `{"sku":"SKU-${100_000 + skewed(chance, 50_000)}","title":"${pick(chance, ADJECTIVES)} ${pick(chance, NOUNS)}","quantity":${1 + skewed(chance, 6)},"price":${money(chance, 300)}}`,
  );
  return `{"orderId":"${key}","customerId":"${100_000 + skewed(chance, 80_000)}","lines":${lines},"shipping":${address(chance)},"total":${money(chance, 900)},"placedAt":"${isoTime(chance)}"}`;
}

function paymentCaptured(chance: Chance, { key }: Stream): string {
  const installments = oneIn(chance, 6) ? `,"installments":${3 * (1 + chance.random.below(8))}` : '';
  return `{"orderId":"${key}","paymentId":"${uuid(chance)}","method":"${pick(chance, METHODS)}","amount":{"value":${money(chance, 900)},"currency":"${pick(chance, CURRENCIES)}"}${installments},"authorisation":"${hex8(chance)}","risk":0.${10 + chance.random.below(90)},"capturedAt":"${isoTime(chance)}"}`;
}

function orderShipped(chance: Chance, { key }: Stream): string {
  const parcels = list(
    chance,
    3,
    () => `{"tracking":"${hex8(chance)}","weightGrams":${100 + skewed(chance, 20_000)}}`,
  );
  return `{"orderId":"${key}","shipmentId":"${uuid(chance)}","carrier":"${pick(chance, CARRIERS)}","parcels":${parcels},"packedBy":"${person(chance)}","express":${oneIn(chance, 5)},"shippedAt":"${isoTime(chance)}"}`;
}

function orderLineChanged(chance: Chance, { key, nextVersion }: Stream): string {
  const remark = oneIn(chance, 3) ? `,"remark":"${pick(chance, REMARKS)}"` : '';
  return `{"orderId":"${key}","lineId":"${uuid(chance)}","line":${nextVersion},"sku":"SKU-${100_000 + skewed(chance, 50_000)}","quantity":{"from":${1 + skewed(chance, 9)},"to":${skewed(chance, 9)}},"price":${money(chance, 300)}${remark},"changedAt":"${isoTime(chance)}"}`;
}

function stockItemListed(chance: Chance, stream: Stream): string {
  return `{"itemId":"${stream.key}","title":"${pick(chance, ADJECTIVES)} ${pick(chance, NOUNS)}","supplier":{"id":"${uuid(chance)}","name":"${person(chance)}"},"dimensions":{"widthMm":${10 + chance.random.below(900)},"heightMm":${10 + chance.random.below(900)},"depthMm":${10 + chance.random.below(900)}},"initial":${stream.level},"fragile":${oneIn(chance, 7)},"listedAt":"${isoTime(chance)}"}`;
}

function stockAdjusted(chance: Chance, stream: Stream): string {
  const delta = chance.random.below(21) - 10;
  stream.level += delta;
  return `{"itemId":"${stream.key}","delta":${delta},"level":${stream.level},"reason":"${pick(chance, REMARKS)}","countedBy":"${person(chance)}","auditId":"${uuid(chance)}","adjustedAt":"${isoTime(chance)}"}`;
}

function goodsReceived(chance: Chance, stream: Stream): string {
  const quantity = 1 + skewed(chance, 400);
  stream.level += quantity;
  const expiry = oneIn(chance, 3)
    ? `,"bestBefore":"2026-${10 + chance.random.below(3)}-${10 + chance.random.below(19)}"`
    : '';
  return `{"itemId":"${stream.key}","deliveryId":"${uuid(chance)}","quantity":${quantity},"level":${stream.level},"dock":${1 + chance.random.below(12)},"batch":"B${hex8(chance)}"${expiry},"cost":{"unit":${money(chance, 80)},"currency":"${pick(chance, CURRENCIES)}"},"receivedAt":${unixMs(chance)}}`;
}

function stockReserved(chance: Chance, stream: Stream): string {
  const quantity = 1 + skewed(chance, 9);
  stream.level -= quantity;
  const orders = list(chance, 2, () => `"${uuid(chance)}"`);
  return `{"itemId":"${stream.key}","orders":${orders},"quantity":${quantity},"level":${stream.level},"warehouse":"${pick(chance, CITIES)}","shelf":"${1 + chance.random.below(40)}-${1 + chance.random.below(99)}","expiresAt":${unixMs(chance) + 900_000}}`;
}

function ticketOpened(chance: Chance, { key }: Stream): string {
  const tags = list(chance, 4, () => `"${pick(chance, NOUNS)}"`);
  return `{"ticketId":"${key}","subject":"${pick(chance, ADJECTIVES)} ${pick(chance, NOUNS)}: ${pick(chance, REMARKS)}","customerId":"${100_000 + skewed(chance, 80_000)}","channel":"${pick(chance, CHANNELS)}","tags":${tags},"priority":${1 + chance.random.below(4)},"threadId":"${uuid(chance)}","openedAt":"${isoTime(chance)}"}`;
}

function ticketAssigned(chance: Chance, { key }: Stream): string {
  const previous = oneIn(chance, 2) ? `"${person(chance)}"` : 'null';
  return `{"ticketId":"${key}","assignee":"${person(chance)}","previous":${previous},"team":"${pick(chance, CITIES)}","dueAt":${unixMs(chance) + 3_600_000 * (1 + chance.random.below(72))},"assignmentId":"${uuid(chance)}","automatic":${oneIn(chance, 2)},"at":"${isoTime(chance)}"}`;
}

function ticketRated(chance: Chance, { key }: Stream): string {
  const comment = oneIn(chance, 3) ? `,"comment":"${pick(chance, REMARKS)}"` : '';
  return `{"ticketId":"${key}","stars":${1 + chance.random.below(5)},"surveyId":"${uuid(chance)}","answers":${list(chance, 4, () => String(chance.random.below(11)))},"waitedMs":${skewed(chance, 9_000_000)}${comment},"channel":"${pick(chance, CHANNELS)}","ratedAt":"${isoTime(chance)}"}`;
}

function messagePosted(chance: Chance, { key, nextVersion }: Stream): string {
  const attachments = oneIn(chance, 4)
    ? list(chance, 2, () => `{"file":"${hex8(chance)}.jpg","sizeBytes":${skewed(chance, 5_000_000)}}`)
    : '[]';
  return `{"ticketId":"${key}","messageId":"${uuid(chance)}","number":${nextVersion},"author":"${person(chance)}","text":"${pick(chance, REMARKS)}, ${pick(chance, ADJECTIVES)} ${pick(chance, NOUNS)}","attachments":${attachments},"internal":${oneIn(chance, 5)},"postedAt":"${isoTime(chance)}"}`;
}

function address(chance: Chance): string {
  return `{"street":"${pick(chance, STREETS)} ${1 + skewed(chance, 200)}","postcode":"${10_000 + chance.random.below(89_999)}","city":"${pick(chance, CITIES)}","country":"${pick(chance, COUNTRIES)}"}`;
}

function firmware(chance: Chance): string {
  return `${1 + chance.random.below(3)}.${chance.random.below(12)}.${chance.random.below(40)}`;
}

function latitude(chance: Chance): string {
  return `${45 + chance.random.below(15)}.${10_000 + chance.random.below(90_000)}`;
}

function longitude(chance: Chance): string {
  return `${chance.random.below(20)}.${10_000 + chance.random.below(90_000)}`;
}

function tenths({ random }: Chance, limit: number): string {
  const value = random.below(limit);
  return `${Math.floor(value / 10)}.${value % 10}`;
}

/** One to `most` items. */
function list({ random }: Chance, most: number, item: () => string): string {
  const count = 1 + random.below(most);
  let text = `[${item()}`;
  for (let i = 1; i < count; i += 1) text += `,${item()}`;
  return `${text}]`;
}
