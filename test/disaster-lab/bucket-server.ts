/**
 * node bucket-server.ts HOST PORT: the stand-in for S3 as a process of its own, so that it stands in its region's network, with the
 * bucket `vault`. The environment's credentials are its owner's. It says `ready`, and ends with its standard input.
 */
import { startS3Server } from '../harness/s3-server/server.ts';
import { startRelay } from './relay.ts';

const [host, port] = process.argv.slice(2);
const credentials = {
  accessKeyId: process.env.AWS_ACCESS_KEY_ID!,
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY!,
};
const server = await startS3Server({ credentials });
server.createBucket('vault');
const own = new URL(server.endpoint);
await startRelay({ host: host!, port: Number(port) }, { host: own.hostname, port: Number(own.port) });
process.stdin.resume().on('close', () => process.exit(0));
console.log('ready');
