const LONGEST = 2000;

/** An address that leads to a page of this console, however a browser reads it. */
export function isWithin(to: string): boolean {
  if (to.length > LONGEST || !/^\/(?![/\\])[!-~]*$/.test(to)) return false;
  return URL.canParse(to, 'http://console') && new URL(to, 'http://console').origin === 'http://console';
}
