/**
 * node healthcheck.mjs
 *
 * Ends with 0 where the daemon of this container answers, else with 1 and the reason. Where the container runs another command there is nobody to ask:
 * it is well as long as it runs. EVENTCORE_HEALTH_URL says where the daemon listens, if not on port 8321 without TLS.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import process from 'node:process';

const TIMEOUT_MS = 4000;
const url = new URL(process.env.EVENTCORE_HEALTH_URL || 'http://127.0.0.1:8321/livez');

if (isDaemon()) ask();

/** The first process of the container, or one that runs it (`docker run --init`). */
function isDaemon() {
  return readFileSync('/proc/1/cmdline', 'utf8').split('\0').includes('serve');
}

function ask() {
  const get = url.protocol === 'https:' ? https.get : http.get;
  // It asks the same container: a certificate is for those who come from outside.
  const request = get(url, { timeout: TIMEOUT_MS, rejectUnauthorized: false }, (answer) => {
    answer.resume();
    if (answer.statusCode !== 200) fail(`${url} answers ${answer.statusCode}`);
  });
  request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
  request.on('error', (error) => fail(`${url}: ${error.message}`));
}

function fail(reason) {
  console.error(reason);
  process.exitCode = 1;
}
