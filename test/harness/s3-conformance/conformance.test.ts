import { after, before, test } from 'node:test';
import { type S3Server, startS3Server } from '../s3-server/server.ts';
import { type Scene, setScene } from './scene.ts';
import { SENTENCES } from './sentences.ts';

let server: S3Server;
let scene: Scene;

before(async () => {
  server = await startS3Server();
  scene = await setScene(server);
});

after(async () => {
  scene.s3.destroy();
  await server.stop();
});

for (const { says, see } of SENTENCES) test(`the S3 server of the tests: ${says}`, () => see(scene));
