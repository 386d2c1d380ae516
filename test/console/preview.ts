/**
 * node test/console/preview.ts [PORT] [--hostile]
 *
 * Serves the console over the fixtures, for looking at it while one works on its pages.
 */
import process from 'node:process';
import { HOSTILE_STORE, STORES } from './fixture-stores.ts';
import { makePorts } from './fixtures.ts';
import { servePreview } from './preview-app.ts';

const isHostile = process.argv.includes('--hostile');
const ports = makePorts({ stores: () => [...STORES, ...(isHostile ? [HOSTILE_STORE] : [])] });
const { origin } = await servePreview(ports, Number(process.argv[2] ?? 8322));
console.log(origin);
