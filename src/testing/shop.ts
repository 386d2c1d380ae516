import { makeRandom, type Random } from './random.ts';

/**
 * A made-up shop that carries on for as long as it is asked to: accounts, carts and orders, each a stream. A few
 * accounts are very busy and most are not; some transactions write to two streams at once.
 */
export interface Shop {
  readonly random: Random;
  readonly versionBase: 0 | 1;
  /** Milliseconds since 1970; every transaction is later than the one before. */
  nowMs: number;
  /** The same as text: to turn it into text for each event would take longer than all the rest. */
  nowText: string;
  readonly accounts: Account[];
  readonly openCarts: Cart[];
  readonly openOrders: Order[];
  carts: number;
  orders: number;
  /** What the transaction under way has written so far. */
  readonly drafts: Draft[];
}

/** An event that is about to be written. */
export interface Draft {
  readonly stream: Stream;
  readonly version: number;
  readonly type: string;
  /** JSON text. */
  readonly data: string;
}

export interface Stream {
  readonly name: string;
  /** Version that the next event gets. */
  nextVersion: number;
}

interface Account extends Stream {
  balanceCents: number;
}

interface Cart extends Stream {
  readonly customer: number;
  items: number;
  totalCents: number;
}

interface Order extends Stream {
  readonly customer: number;
  readonly totalCents: number;
  step: number;
}

/** 2024-01-01T00:00:00Z */
const DEFAULT_START_MS = 1_704_067_200_000;
const MAX_STEP_MS = 40;

export function openShop(seed: number, versionBase: 0 | 1, startMs = DEFAULT_START_MS): Shop {
  const shop: Shop = {
    ...{ random: makeRandom(seed), versionBase, nowMs: startMs, nowText: '' },
    ...{ accounts: [], openCarts: [], openOrders: [], carts: 0, orders: 0, drafts: [] },
  };
  return shop;
}

/** The next transaction: what was written together. Valid until the next one is asked for. */
export function nextTransaction(shop: Shop): readonly Draft[] {
  shop.drafts.length = 0;
  shop.nowMs += 1 + shop.random.below(MAX_STEP_MS);
  shop.nowText = msText(shop.nowMs);
  const chance = shop.random.below(100);
  if (chance < 3 || shop.accounts.length < 2) openAccount(shop);
  else if (chance < 32) moveMoney(shop);
  else if (chance < 41) transferMoney(shop);
  else if (chance < 71 || shop.openOrders.length === 0) goShopping(shop);
  else advanceOrder(shop);
  return shop.drafts;
}

const seconds = { value: -1, text: '' };

/** As `String`, which is slow for numbers that pass 32 bits. */
function msText(ms: number): string {
  const value = Math.floor(ms / 1000);
  if (value !== seconds.value) Object.assign(seconds, { value, text: String(value) });
  return seconds.text + String(ms - value * 1000).padStart(3, '0');
}

function write(shop: Shop, stream: Stream, type: string, data: string): void {
  shop.drafts.push({ stream, version: stream.nextVersion, type, data });
  stream.nextVersion += 1;
}

function openAccount(shop: Shop): void {
  const { random, accounts } = shop;
  const name = `account-${10_000 + accounts.length}`;
  const account: Account = { name, nextVersion: shop.versionBase, balanceCents: 0 };
  accounts.push(account);
  const person = pick(random, PEOPLE);
  const city = pick(random, CITIES);
  write(
    shop,
    account,
    'AccountOpened',
    `{"accountId":"${name}","holder":"${person}","city":"${city}","currency":"EUR","limits":{"dailyCents":${50_000 + 10_000 * random.below(20)},"singleCents":${10_000 + 1000 * random.below(90)}},"channel":"${pick(random, CHANNELS)}","agreedTo":["terms-2024-01","privacy-2023-11"],"openedAt":${shop.nowText}}`,
  );
}

/** The fourth power makes the first accounts busy and leaves the others quiet. */
function someAccount({ random, accounts }: Shop): Account {
  return accounts[Math.floor(random.unit() ** 4 * accounts.length)]!;
}

function moveMoney(shop: Shop): void {
  const { random } = shop;
  const account = someAccount(shop);
  const cents = 100 + random.below(50_000);
  const isDeposit = account.balanceCents < cents || random.below(2) === 0;
  account.balanceCents += isDeposit ? cents : -cents;
  const common = `"accountId":"${account.name}","amountCents":${cents},"balanceCents":${account.balanceCents},"currency":"EUR"`;
  const reference = hex(random.bits()) + hex(random.bits());
  if (isDeposit) {
    write(
      shop,
      account,
      'MoneyDeposited',
      `{${common},"source":{"kind":"${pick(random, SOURCES)}","reference":"${reference}","country":"${pick(random, COUNTRIES)}"},"bookedAt":${shop.nowText},"note":"${pick(random, NOTES)}"}`,
    );
  } else {
    write(
      shop,
      account,
      'MoneyWithdrawn',
      `{${common},"terminal":{"id":"T${1000 + random.below(9000)}","place":"${pick(random, CITIES)}"},"reference":"${reference}","feeCents":${random.below(4) * 25},"bookedAt":${shop.nowText}}`,
    );
  }
}

/** Two streams in one transaction: whoever sees the one sees the other. */
function transferMoney(shop: Shop): void {
  const { random, accounts } = shop;
  const from = someAccount(shop);
  const other = accounts[random.below(accounts.length)]!;
  const to = other === from ? accounts[(accounts.indexOf(from) + 1) % accounts.length]! : other;
  const cents = 1 + random.below(20_000);
  from.balanceCents -= cents;
  to.balanceCents += cents;
  const transfer = `"transferId":"tr-${hex(random.bits())}${hex(random.bits())}","from":"${from.name}","to":"${to.name}","amountCents":${cents},"currency":"EUR","purpose":"${pick(random, NOTES)}"`;
  write(
    shop,
    from,
    'MoneySent',
    `{${transfer},"balanceCents":${from.balanceCents},"sentAt":${shop.nowText}}`,
  );
  write(
    shop,
    to,
    'MoneyReceived',
    `{${transfer},"balanceCents":${to.balanceCents},"receivedAt":${shop.nowText}}`,
  );
}

/** Carts beyond this are forgotten by their owners and never written again. */
const MAX_OPEN = 400;

function goShopping(shop: Shop): void {
  const { random, openCarts } = shop;
  if (openCarts.length < 20 || random.below(5) === 0) {
    openCart(shop);
    return;
  }
  const place = random.below(openCarts.length);
  const cart = openCarts[place]!;
  if (cart.items >= 2 && random.below(4) === 0) {
    forget(openCarts, place);
    checkOut(shop, cart);
    return;
  }
  const more = 1 + random.below(3);
  for (let i = 0; i < more; i += 1) addItem(shop, cart);
}

function openCart(shop: Shop): void {
  const { random, openCarts } = shop;
  const name = `cart-${100_000 + shop.carts}`;
  shop.carts += 1;
  const customer = random.below(Math.max(10, shop.accounts.length));
  const cart: Cart = { name, nextVersion: shop.versionBase, customer, items: 0, totalCents: 0 };
  if (openCarts.length >= MAX_OPEN) forget(openCarts, random.below(openCarts.length));
  openCarts.push(cart);
  write(
    shop,
    cart,
    'CartOpened',
    `{"cartId":"${name}","customerId":"customer-${customer}","channel":"${pick(random, CHANNELS)}","locale":"${pick(random, LOCALES)}","campaign":"${pick(random, CAMPAIGNS)}","userAgent":"${pick(random, USER_AGENTS)}"}`,
  );
}

function addItem(shop: Shop, cart: Cart): void {
  const { random } = shop;
  const cents = 199 + random.below(30_000);
  const quantity = 1 + random.below(4);
  cart.items += quantity;
  cart.totalCents += quantity * cents;
  write(
    shop,
    cart,
    'ItemAddedToCart',
    `{"cartId":"${cart.name}","sku":"SKU-${hex(random.bits())}","title":"${pick(random, PRODUCTS)}","quantity":${quantity},"unitPriceCents":${cents},"options":{"colour":"${pick(random, COLOURS)}","giftWrap":${random.below(5) === 0}},"totalCents":${cart.totalCents}}`,
  );
}

/** Two streams in one transaction: the cart ends where the order begins. */
function checkOut(shop: Shop, cart: Cart): void {
  const { random, openOrders } = shop;
  const name = `order-${500_000 + shop.orders}`;
  shop.orders += 1;
  const { customer, totalCents } = cart;
  const order: Order = { name, nextVersion: shop.versionBase, customer, totalCents, step: 0 };
  if (openOrders.length >= MAX_OPEN) forget(openOrders, random.below(openOrders.length));
  openOrders.push(order);
  write(
    shop,
    cart,
    'CartCheckedOut',
    `{"cartId":"${cart.name}","orderId":"${name}","items":${cart.items},"totalCents":${totalCents},"payment":{"method":"${pick(random, SOURCES)}","token":"tok_${hex(random.bits())}${hex(random.bits())}"},"couponCode":${random.below(6) === 0 ? `"${hex(random.bits())}"` : 'null'},"checkedOutAt":${shop.nowText}}`,
  );
  const place = `{"name":"${pick(random, PEOPLE)}","street":"${pick(random, STREETS)} ${1 + random.below(200)}","city":"${pick(random, CITIES)}","country":"${pick(random, COUNTRIES)}"}`;
  write(
    shop,
    order,
    'OrderPlaced',
    `{"orderId":"${name}","cartId":"${cart.name}","customerId":"customer-${customer}","totalCents":${totalCents},"currency":"EUR","shippingAddress":${place},"billingAddress":${place},"delivery":{"service":"${pick(random, COLOURS)} line","window":"${8 + random.below(10)}:00","tracking":"${hex(random.bits())}${hex(random.bits())}","weightGrams":${100 + random.below(9000)}},"terms":{"version":"2024-01","agreed":true,"consentId":"${hex(random.bits())}"},"placedAt":${shop.nowText}}`,
  );
}

const ORDER_STEPS = ['PaymentAuthorised', 'PaymentCaptured', 'OrderPacked', 'OrderShipped', 'OrderDelivered'];

function advanceOrder(shop: Shop): void {
  const { random, openOrders } = shop;
  const place = random.below(openOrders.length);
  const order = openOrders[place]!;
  const isCancelled = random.below(40) === 0;
  const type = isCancelled ? 'OrderCancelled' : ORDER_STEPS[order.step]!;
  order.step += 1;
  if (isCancelled || order.step === ORDER_STEPS.length) forget(openOrders, place);
  write(
    shop,
    order,
    type,
    `{"orderId":"${order.name}","customerId":"customer-${order.customer}","totalCents":${order.totalCents},"handledBy":"${pick(random, PEOPLE)}","station":"${pick(random, CITIES)}-${1 + random.below(12)}","reference":"${hex(random.bits())}-${hex(random.bits())}","remark":"${pick(random, NOTES)}","at":${shop.nowText}}`,
  );
}

/** Takes one out; the order of the others does not matter. */
function forget<Item>(items: Item[], place: number): void {
  const last = items.pop()!;
  if (place < items.length) items[place] = last;
}

function pick(random: Random, words: readonly string[]): string {
  return words[random.below(words.length)]!;
}

const HEX = Array.from({ length: 0x1_0000 }, (_, value) => value.toString(16).padStart(4, '0'));

function hex(bits: number): string {
  return HEX[bits >>> 16]! + HEX[bits & 0xffff]!;
}

const PEOPLE = ['Ada Lovelace', 'Grace Hopper', 'Zoë Müller', 'José Núñez', 'Nina Simone', 'Søren Dahl'];
const CITIES = [
  'Berlin',
  'Zürich',
  'São Paulo',
  'Oslo',
  'Nairobi',
  'Łódź',
  'Lyon',
  'Porto',
  'Québec',
  'Göteborg',
];
const COUNTRIES = ['DE', 'CH', 'BR', 'NO', 'KE', 'PL', 'FR', 'PT', 'CA', 'SE'];
const STREETS = ['Hauptstraße', 'High Street', 'Rue de la Paix', 'Calle Mayor', 'Storgata', 'Via Roma'];
const CHANNELS = ['web', 'app', 'branch', 'phone', 'partner'];
const LOCALES = ['de-DE', 'pl-PL', 'en-GB', 'fr-FR', 'pt-BR', 'ja-JP'];
const CAMPAIGNS = ['none', 'spring-sale', 'newsletter-17', 'friends-of-friends', 'black-week'];
const COLOURS = ['red', 'green', 'midnight blue', 'sand', 'clear'];
const SOURCES = ['sepa-transfer', 'card-top-up', 'cash-desk', 'payroll', 'refund'];
const PRODUCTS = [
  'Crème brûlée torch',
  'Walnut desk lamp, dimmable',
  'Bicycle bell, brass',
  'Notebook, dotted, A5, 192 pages',
  'Rain jacket, three layers',
  'Espresso cups, set of four',
  'Field recorder with two capsules',
];
const USER_AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15',
  'ShopApp/8.14.2 (Android 14)',
];
const NOTES = [
  'thank you, see you soon',
  'rent for the month as agreed',
  'please leave it with the neighbours on the second floor if nobody opens',
  'checked by hand',
  'said to be urgent; the customer called twice and will be at home from noon on',
  '🎁 birthday',
];
